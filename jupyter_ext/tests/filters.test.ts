import { describe, expect, it } from 'vitest';

import { IChoice, active, choices } from '../src/views/filters';
import type { NodeInfo } from '../src/model/types';

const info = (node: number, problem = '') => ({ node, title: `n${node}`, problem }) as NodeInfo;
const choice = (node: number, chosen: boolean, away = false): IChoice => ({ node, title: `n${node}`, chosen, away });

describe('the nodes to choose from', () => {
  it('keep the chosen ones', () => {
    expect(choices([info(1), info(2)], [choice(2, true)])).toEqual([choice(1, false), choice(2, true)]);
  });

  it('keep a chosen node that is not available, and mark it', () => {
    const before = [choice(1, false), choice(2, true), choice(3, true)];
    const now = choices([info(2, 'gone wrong'), info(4)], before);
    expect(now).toEqual([choice(4, false), choice(2, true, true), choice(3, true, true)]);
    expect(choices([info(2), info(4)], now)).toEqual([choice(2, true), choice(4, false), choice(3, true, true)]);
  });

  it('omit an unavailable node that was not chosen', () => {
    expect(choices([info(1, 'odd')], [choice(2, false)])).toEqual([]);
  });
});

it('the filters that are set are counted', () => {
  const none = { nodes: [], kinds: null, private: false, min_reliability: 0 };
  expect(active(none)).toBe(0);
  expect(active({ nodes: [1, 2], kinds: new Set(), private: true, min_reliability: 0.1 })).toBe(4);
});
