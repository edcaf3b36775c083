import { expect, it } from 'vitest';

import { advance, begin, isEnd } from '../src/views/progress';
import type { NodeStatus } from '../src/model/types';

const node = (number: number, status: string): NodeStatus => ({
  node: number,
  title: `n${number}`,
  status,
  hits: 0,
  milliseconds: 0,
  detail: '',
  why: ''
});

it('tracks the nodes that have not answered', () => {
  let known = advance(begin(), { event: 'phase', phase: { title: 'chain', phase: 'starting', done: 0, total: 0 } });
  expect([...known.phases.keys()]).toEqual(['chain']);
  known = advance(known, { event: 'asking', nodes: [node(1, 'skipped'), node(2, 'skipped')] });
  expect(known.phases.size).toBe(0);
  expect([...known.waiting]).toEqual([1, 2]);
  known = advance(known, { event: 'node', node: node(2, 'success') });
  expect([...known.waiting]).toEqual([1]);
  expect(known.nodes.get(2)!.status).toBe('success');
  expect(advance(known, { event: 'started', id: 'x' })).toBe(known);
});

it('recognises the last event', () => {
  const all = ['started', 'phase', 'asking', 'node', 'answer', 'stopped', 'error'] as const;
  expect(all.filter(event => isEnd({ event }))).toEqual(['answer', 'stopped', 'error']);
});
