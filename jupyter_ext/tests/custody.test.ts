import { expect, it } from 'vitest';

import { recorded } from '../src/model/custody';
import type { Answer } from '../src/model/types';

it('shows the record, and a problem in place of each network step', () => {
  const passage = { provenance: { node: 3 } };
  const answer = { passages: [passage], nodes: [{ node: 3, title: 'rivers' }] } as unknown as Answer;
  const found = recorded(answer, 1, 'Not connected.');
  expect(found.title).toBe('rivers');
  expect([found.context, found.published, found.signed].map(one => one.problem)).toEqual(
    Array(3).fill('Not connected.')
  );
});

it('has no title for a node that the record does not list', () => {
  const passage = { provenance: { node: 3 } };
  expect(recorded({ passages: [passage], nodes: [] } as unknown as Answer, 1, '').title).toBe('');
});
