/** The chain of custody from the record of an answer alone, for display without a network. */

import type { Answer, Custody } from './types';

/** Return the custody of passage `number` (from 1); `problem` stands for each step that needs the network. */
export function recorded(answer: Answer, number: number, problem: string): Custody {
  const { text, start, end, title, uri, licence, provenance } = answer.passages[number - 1];
  const { node, document, manifest, shard, chunk, path } = provenance;
  return {
    passage: number,
    node,
    title: answer.nodes.find(one => one.node === node)?.title ?? '',
    owner: '',
    endpoint: '',
    chain_id: 0,
    registry: '',
    span: { start, end, exact: text, before: '', after: '', problem },
    held: {
      document,
      uri,
      title,
      licence: String(licence ?? ''),
      manifest,
      shard: Number(shard),
      chunk: Number(chunk),
      proof: path?.length ?? 0
    },
    published: { transaction: '', block: 0, time: 0, sequence: 0, newest: false, problem },
    signed: { signer: '', issued_at: 0, results: '', signature: '', problem }
  };
}
