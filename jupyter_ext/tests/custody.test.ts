import { expect, it } from 'vitest';

import { recorded } from '../src/model/custody';
import type { Answer } from '../src/model/types';

it('shows the record, and a problem in place of each network step', () => {
  const provenance = {
    node: 3,
    manifest: 'bafym',
    document: 'bafyd',
    shard: 1,
    chunk: 2,
    path: ['a', 'b'],
    receipt: 0
  };
  const passage = { text: 'mud', start: 4, end: 7, title: 'Dams', uri: 'file:dams', licence: 'MIT', provenance };
  const answer = { passages: [passage], nodes: [{ node: 3, title: 'rivers' }] } as unknown as Answer;
  const found = recorded(answer, 1, 'Not connected.');
  expect([found.title, found.span.exact, found.held.manifest, found.held.proof]).toEqual(['rivers', 'mud', 'bafym', 2]);
  expect([found.span, found.published, found.signed].map(one => one.problem)).toEqual(Array(3).fill('Not connected.'));
});

it('accepts missing fields', () => {
  const passage = { text: 'mud', start: 4, end: 7, title: '', uri: '', provenance: { node: 3 } };
  const found = recorded({ passages: [passage], nodes: [] } as unknown as Answer, 1, '');
  expect([found.title, found.held.licence, found.held.proof]).toEqual(['', '', 0]);
});
