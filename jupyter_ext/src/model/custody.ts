/** The chain of custody from the record of an answer alone, for display without a network. */

import type { Answer, Custody } from './types';

/** Return the custody of passage `number` (from 1); `problem` stands for each step that needs the network. */
export function recorded(answer: Answer, number: number, problem: string): Custody {
  const { node } = answer.passages[number - 1].provenance;
  return {
    title: answer.nodes.find(one => one.node === node)?.title ?? '',
    owner: '',
    endpoint: '',
    chain_id: 0,
    registry: '',
    context: { before: '', after: '', problem },
    published: { transaction: '', block: 0, time: 0, sequence: 0, newest: false, problem },
    signed: { signer: '', issued_at: 0, results: '', signature: '', problem }
  };
}
