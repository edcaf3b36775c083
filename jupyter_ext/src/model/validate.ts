/** Validation of answers from notebooks and the network before their fields are read. */

import { ANSWER_MEDIA_TYPE, ANSWER_TAG, Answer } from './types';

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

// Far above what the client writes; drawing more would take minutes.
const LIMITS = { passages: 1000, sentences: 1000, citations: 100, nodes: 5000, holders: 5000 };

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
  sources: isList(isNumber, LIMITS.holders)
});
const isSentence = has({
  text: isText,
  citations: isList(has({ passage: isNumber, start: isNumber, end: isNumber, exact: isText }), LIMITS.citations)
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
  type: value => value === ANSWER_TAG,
  question: isText,
  text: isText,
  sentences: isList(isSentence, LIMITS.sentences),
  passages: isList(isPassage, LIMITS.passages),
  nodes: isList(isNode, LIMITS.nodes),
  time: isNumber,
  milliseconds: isNumber,
  writer: isText,
  problem: isText
});

/** Return the answer in a value or in its JSON; null for anything else. */
export function readAnswer(value: unknown): Answer | null {
  let plain = value;
  if (Array.isArray(plain) && plain.every(isText)) {
    plain = plain.join(''); // nbformat allows a text as a list of lines
  }
  if (typeof plain === 'string') {
    try {
      plain = JSON.parse(plain);
    } catch {
      return null;
    }
  }
  return isAnswer(plain) ? (plain as Answer) : null;
}

/** Return the first answer among the outputs of a cell (nbformat), or null. */
export function answerOf(outputs: readonly unknown[]): Answer | null {
  for (const output of outputs) {
    const data = (output as { data?: Fields }).data;
    const found = data ? readAnswer(data[ANSWER_MEDIA_TYPE]) : null;
    if (found) {
      return found;
    }
  }
  return null;
}
