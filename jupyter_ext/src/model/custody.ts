/** The chain of custody as far as the record of an answer tells it: without a network, all that can be shown. */

import type { IAnswer, ICustody } from './types';

/** What is said of passage `number` (from 1); `problem` says in the place of each thing looked up why it was not. */
export function recorded(answer: IAnswer, number: number, problem: string): ICustody {
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
