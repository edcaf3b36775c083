import { describe, expect, it } from 'vitest';

import type { HealthSnapshot, LocalNode, NodeHealth } from '../src/model/types';
import { overall, percent, pollInterval, publications, summary } from '../src/model/health';

function health(node: number, state: NodeHealth['state']): NodeHealth {
  return { node, title: '', state, milliseconds: 1, sequence: 1, published: 0, searches: 0, problem: '', advice: '' };
}

function localNode(state: LocalNode['state'], done = 0, total = 0): LocalNode {
  return { name: 'mine', sources: [], profile: '', state, phase: '', done, total, detail: '', endpoint: '' };
}

function snapshot(nodes: NodeHealth[], local: LocalNode[] = [], problem = ''): HealthSnapshot {
  const state = { profile: 'x', profiles: [], detail: '', phases: [], address: '', development: false };
  return { state: { ...state, state: 'ready' }, nodes, local_nodes: local, problem };
}

describe('a health snapshot', () => {
  it('counts the nodes that answer and names the others', () => {
    const found = summary(snapshot([health(1, 'up'), health(2, 'behind'), health(3, 'down'), health(4, 'unusable')]));
    expect([found.total, found.answering]).toEqual([4, 2]);
    expect(found.silent.map(node => node.node)).toEqual([3, 4]);
  });

  it('has the color of its worst part', () => {
    expect(overall(snapshot([health(1, 'up')]))).toBe('ready');
    expect(overall(snapshot([]))).toBe('ready');
    expect(overall(snapshot([health(1, 'up'), health(2, 'down')]))).toBe('partly');
    expect(overall(snapshot([health(1, 'up')], [localNode('failed')]))).toBe('partly');
    expect(overall(snapshot([health(1, 'down')]))).toBe('failed');
    expect(overall(snapshot([health(1, 'up')], [], 'The chain does not answer.'))).toBe('failed');
    expect(overall(null)).toBe('failed');
  });

  it('is polled often during progress and rarely without a viewer', () => {
    expect(pollInterval(snapshot([], [localNode('syncing')]), false)).toBeLessThan(pollInterval(snapshot([]), true));
    expect(pollInterval(snapshot([], [localNode('serving')]), true)).toBeLessThan(pollInterval(snapshot([]), false));
    const starting = snapshot([]);
    starting.state.state = 'starting';
    expect(pollInterval(starting, false)).toBe(pollInterval(snapshot([], [localNode('starting')]), true));
  });
});

describe('progress', () => {
  it('is in whole percent, and unknown without a total', () => {
    expect(percent(localNode('syncing'))).toBeNull();
    expect(percent(localNode('syncing', 1, 3))).toBe(33);
    expect(percent(localNode('syncing', 9, 3))).toBe(100);
  });
});

describe('publications', () => {
  it('have a key that depends on versions but not on the order', () => {
    const [a, b] = [health(1, 'up'), health(2, 'up')];
    expect(publications([a, b])).toBe(publications([b, a]));
    expect(publications([a, { ...b, sequence: 2 }])).not.toBe(publications([a, b]));
    expect(publications([a])).not.toBe(publications([a, b]));
  });
});
