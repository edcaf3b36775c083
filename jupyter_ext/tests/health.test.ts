import { describe, expect, it } from 'vitest';

import type { INodeHealth, IOwnNode, IPulse } from '../src/model/types';
import { pace, percent, publications, together, vitals } from '../src/model/health';

function health(node: number, state: INodeHealth['state']): INodeHealth {
  return { node, title: '', state, milliseconds: 1, sequence: 1, published: 0, searches: 0, problem: '', advice: '' };
}

function own(state: IOwnNode['state'], done = 0, total = 0): IOwnNode {
  return { name: 'mine', sources: [], profile: '', state, phase: '', done, total, detail: '', endpoint: '' };
}

function pulse(nodes: INodeHealth[], mine: IOwnNode[] = [], problem = ''): IPulse {
  const state = { profile: 'x', profiles: [], detail: '', phases: [], address: '', development: false };
  return { state: { ...state, state: 'ready' }, nodes, own: mine, problem };
}

describe('a pulse', () => {
  it('tells who answers and who does not', () => {
    const found = vitals(pulse([health(1, 'up'), health(2, 'behind'), health(3, 'down'), health(4, 'unusable')]));
    expect([found.total, found.answering]).toEqual([4, 2]);
    expect(found.silent.map(node => node.node)).toEqual([3, 4]);
  });

  it('has one color: of the worst that a question would meet', () => {
    expect(together(pulse([health(1, 'up')]))).toBe('ready');
    expect(together(pulse([]))).toBe('ready');
    expect(together(pulse([health(1, 'up'), health(2, 'down')]))).toBe('partly');
    expect(together(pulse([health(1, 'up')], [own('failed')]))).toBe('partly');
    expect(together(pulse([health(1, 'down')]))).toBe('failed');
    expect(together(pulse([health(1, 'up')], [], 'The chain does not answer.'))).toBe('failed');
    expect(together(null)).toBe('failed');
  });

  it('is taken again soon while something is under way, seldom while nobody looks', () => {
    expect(pace(pulse([], [own('syncing')]), false)).toBeLessThan(pace(pulse([]), true));
    expect(pace(pulse([], [own('serving')]), true)).toBeLessThan(pace(pulse([]), false));
    const starting = pulse([]);
    starting.state.state = 'starting';
    expect(pace(starting, false)).toBe(pace(pulse([], [own('starting')]), true));
  });
});

describe('progress', () => {
  it('is in whole percents, and unknown while the total is', () => {
    expect(percent(own('syncing'))).toBeNull();
    expect(percent(own('syncing', 1, 3))).toBe(33);
    expect(percent(own('syncing', 9, 3))).toBe(100);
  });
});

describe('publications', () => {
  it('are the same in any order, and differ by any version', () => {
    const [a, b] = [health(1, 'up'), health(2, 'up')];
    expect(publications([a, b])).toBe(publications([b, a]));
    expect(publications([a, { ...b, sequence: 2 }])).not.toBe(publications([a, b]));
    expect(publications([a])).not.toBe(publications([a, b]));
  });
});
