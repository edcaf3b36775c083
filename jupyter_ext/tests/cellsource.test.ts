import { describe, expect, it } from 'vitest';

import { askingCell } from '../src/model/cellsource';

const ASKED = {
  question: 'Who builds dams?',
  profile: 'demo',
  k: 8,
  max_nodes: 'auto' as const,
  nodes: [],
  private: false,
  min_reliability: 0,
  node_timeout: 2
};

describe('askingCell', () => {
  it('asks the same network the same question', () => {
    expect(askingCell(ASKED)).toBe('import knet\n\nknet.ask(\n    "Who builds dams?",\n    profile="demo",\n)');
  });

  it('names only options that differ from the defaults', () => {
    const asked = {
      ...ASKED,
      k: 20,
      max_nodes: 'all' as const,
      nodes: [3, 5],
      private: true,
      min_reliability: 0.5,
      node_timeout: 60
    };
    const lines = askingCell(asked).split('\n').slice(3, -1);
    expect(lines).toEqual([
      '    "Who builds dams?",',
      '    profile="demo",',
      '    k=20,',
      '    nodes=[3,5],',
      '    private=True,',
      '    min_reliability=0.5,',
      '    node_timeout=60,'
    ]);
  });

  it('escapes invisible characters of the question', () => {
    const cell = askingCell({ ...ASKED, question: 'dams\u202e?\u{e0001}' });
    expect(cell.split('\n')[3]).toBe(String.raw`    "dams\U0000202e?\U000e0001",`);
  });

  it('escapes quotes in the question', () => {
    const cell = askingCell({ ...ASKED, question: '"); import os #\nos.remove("x")\\', profile: 'a"b' });
    expect(cell.split('\n')[3]).toBe(String.raw`    "\"); import os #\nos.remove(\"x\")\\",`);
    expect(cell.split('\n')[4]).toBe(String.raw`    profile="a\"b",`);
  });
});
