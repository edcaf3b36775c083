import { describe, expect, it } from 'vitest';

import type { Answer } from '../src/model/types';
import {
  ago,
  belief,
  citation,
  citations,
  clip,
  ether,
  isLink,
  kindOf,
  line,
  moment,
  plusMinus,
  prose,
  short
} from '../src/model/text';

const PASSAGE = {
  text: 'Beavers build dams.',
  start: 10,
  end: 29,
  title: 'Beavers',
  uri: 'folder:notes/beaver.md',
  score: 0.5,
  scores: { dense: 0.7 },
  reliability: { positive: 0, negative: 0, count: 0 },
  provenance: {
    node: 3,
    manifest: 'bafyabc',
    document: 'bafydef',
    shard: 0,
    chunk: 0,
    path: [],
    vector: '',
    receipt: 0
  },
  licence: '',
  sources: []
};

function answer(...cited: number[]): Answer {
  const spans = cited.map(passage => ({ passage, start: 10, end: 29, exact: 'Beavers build dams.' }));
  return {
    type: 'knet/answer/1',
    question: 'What do beavers build?',
    found: true,
    text: '',
    sentences: [{ text: '', citations: spans }],
    passages: [PASSAGE, { ...PASSAGE, title: 'Dams' }],
    nodes: [],
    time: 1_700_000_000,
    milliseconds: 1,
    private: false,
    writer: 'extractive',
    problem: ''
  };
}

describe('untrusted text', () => {
  it('loses unprintable characters', () => {
    expect(line('a\u202eb\x1b[2J\n\tc')).toBe('a b [2J c');
    expect(prose('one\x07\ntwo\u200b')).toBe('one \ntwo ');
  });

  it('is cut without splitting a character', () => {
    expect(clip('abcdef', 3)).toBe('abc…');
    expect(clip('ab', 3)).toBe('ab');
    expect(clip('ab😀', 3)).toBe('ab…');
    expect(line('x'.repeat(5_000_000)).length).toBe(401);
  });

  it.each([
    ['https://example.org/a', true],
    ['HTTP://example.org', true],
    ['javascript:alert(1)', false],
    ['data:text/html,x', false],
    ['//example.org', false],
    ['https://exa mple.org', false],
    ['https://', false],
    [`https://example.org/${'x'.repeat(3000)}`, false],
    ['file:///etc/passwd', false]
  ])('%s is a link: %s', (uri, expected) => expect(isLink(uri)).toBe(expected));
});

describe('numbers', () => {
  it('are those of a Beta posterior', () => {
    expect(plusMinus(...(Object.values(belief({ positive: 0, negative: 0, count: 0 })) as [number, number]))).toBe(
      '0.50 ± 0.29'
    );
    expect(belief({ positive: 1, negative: 0, count: 1 }).mean).toBeCloseTo(2 / 3);
  });

  it('are short', () => {
    expect(short('0x1234567890abcdef1234567890')).toBe('0x12345678…567890');
    expect(short('0x12')).toBe('0x12');
    expect(ether(0)).toBe('0');
    expect(ether(1e16)).toBe('0.01');
    expect(ether(123_456_789)).toBe('1.23e-10');
    expect(moment(0)).toBe('1970-01-01 00:00 UTC');
    expect(moment(1e20)).toBe('?');
  });
});

describe('citations', () => {
  it('name the exact span', () => {
    expect(citation(answer(0), 1)).toBe(
      '“Beavers”, folder:notes/beaver.md, characters 10–29. knet node 3, manifest bafyabc, asked 2023-11-14 22:13 UTC.'
    );
  });

  it('are those of the answer, once each and in order', () => {
    const text = citations(answer(1, 0, 1, 99));
    expect(text.split('\n').map(one => one.slice(0, 8))).toEqual(['[1] “Bea', '[2] “Dam']);
  });
});

it.each([
  ['https://docs.example/x.html', 'web'],
  ['https://docs.example/x.ipynb', 'notebook'],
  ['folder:notes/a.ipynb#cell=3', 'notebook'],
  ['folder:notes/a.md', 'file'],
  ['pkg:pypi/numpy@2.0#numpy.sort', 'code'],
  ['', 'file']
])('%s is of kind %s', (uri, kind) => expect(kindOf(uri)).toBe(kind));

describe('times', () => {
  it('are shown as time passed, never as the future', () => {
    const now = 1_000_000;
    expect(ago(now - 20, now)).toBe('now');
    expect(ago(now + 99, now)).toBe('now');
    expect(ago(now - 61, now)).toBe('1 minute ago');
    expect(ago(now - 2 * 3600 - 5, now)).toBe('2 hours ago');
    expect(ago(now - 86400, now)).toBe('yesterday');
    expect(ago(now - 800 * 86400, now)).toBe('2 years ago');
  });
});
