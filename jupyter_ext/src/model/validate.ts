/** Whether a value from a notebook or the network is an answer at all, before anything reads its fields. */

import type { IAnswer } from './types';

export const MEDIA_TYPE = 'application/vnd.knet.answer+json';
const TAG = 'knet/answer/1';

type Fields = { [name: string]: unknown };
type Test = (value: unknown) => boolean;

const isText: Test = value => typeof value === 'string';
const isNumber: Test = value => typeof value === 'number';
const isList =
  (test: Test, most: number): Test =>
  value =>
    Array.isArray(value) && value.length <= most && value.every(test);
const isTextOrNone: Test = value => value === undefined || isText(value);
const has =
  (tests: { [name: string]: Test }): Test =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(tests).every(([name, test]) => test((value as Fields)[name]));

// Far more than an answer of ours has: beyond, a page would be drawn for minutes.
const MOST = { passages: 1000, sentences: 1000, citations: 100, nodes: 5000, holders: 5000 };

const isPassage = has({
  text: isText,
  start: isNumber,
  end: isNumber,
  title: isText,
  uri: isText,
  score: isNumber,
  scores: has({}),
  reliability: has({ positive: isNumber, negative: isNumber, count: isNumber }),
  provenance: has({
    node: isNumber,
    manifest: isText,
    document: isText,
    receipt: value => value === null || typeof value === 'number'
  }),
  sources: isList(isNumber, MOST.holders)
});
const isSentence = has({
  text: isText,
  citations: isList(has({ passage: isNumber, start: isNumber, end: isNumber, exact: isText }), MOST.citations)
});
const isNode = has({
  node: isNumber,
  title: isText,
  status: isText,
  milliseconds: isNumber,
  detail: isText,
  why: isTextOrNone
});
const isAnswer = has({
  type: value => value === TAG,
  question: isText,
  text: isText,
  sentences: isList(isSentence, MOST.sentences),
  passages: isList(isPassage, MOST.passages),
  nodes: isList(isNode, MOST.nodes),
  time: isNumber,
  milliseconds: isNumber,
  writer: isText,
  problem: isText
});

/** The answer in a value or in its JSON; null if it is none. */
export function readAnswer(value: unknown): IAnswer | null {
  let plain = value;
  if (Array.isArray(plain) && plain.every(isText)) {
    plain = plain.join(''); // nbformat may split a text into lines
  }
  if (typeof plain === 'string') {
    try {
      plain = JSON.parse(plain);
    } catch {
      return null;
    }
  }
  return isAnswer(plain) ? (plain as IAnswer) : null;
}

/** The answer among the outputs of a cell (nbformat); null if there is none. */
export function answerOf(outputs: readonly unknown[]): IAnswer | null {
  for (const output of outputs) {
    const data = (output as { data?: Fields }).data;
    const found = data ? readAnswer(data[MEDIA_TYPE]) : null;
    if (found) {
      return found;
    }
  }
  return null;
}
