import { expect, it } from 'vitest';

import { ANSWER_MEDIA_TYPE } from '../src/model/types';
import { answerOf, readAnswer } from '../src/model/validate';

const ANSWER = {
  type: 'knet/answer/1',
  question: 'q',
  text: 't',
  sentences: [],
  passages: [],
  nodes: [],
  time: 1,
  milliseconds: 1,
  writer: 'extractive',
  problem: ''
};

it('an answer is read from a value, from JSON, and from JSON in lines', () => {
  expect(readAnswer(ANSWER)).toEqual(ANSWER);
  expect(readAnswer(JSON.stringify(ANSWER))).toEqual(ANSWER);
  expect(readAnswer([JSON.stringify(ANSWER).slice(0, 9), JSON.stringify(ANSWER).slice(9)])).toEqual(ANSWER);
});

it.each([
  [null],
  [undefined],
  [5],
  ['nonsense'],
  ['{}'],
  [[]],
  [{ ...ANSWER, type: 'knet/answer/9' }],
  [{ ...ANSWER, passages: [null] }],
  [{ ...ANSWER, passages: [{ text: 'x' }] }],
  [{ ...ANSWER, sentences: [{ text: 5, citations: [] }] }],
  [{ ...ANSWER, nodes: 'many' }],
  [{ ...ANSWER, nodes: [{ node: 1, title: '', status: '', milliseconds: 1, detail: '', why: 5 }] }],
  [{ ...ANSWER, writer: undefined }]
])('any other value is refused: %j', value => expect(readAnswer(value)).toBeNull());

it('an answer above the limits is refused', () => {
  const citation = { passage: 0, start: 0, end: 1, exact: 'x' };
  const sentence = (count: number) => ({ text: 'x', citations: Array(count).fill(citation) });
  expect(readAnswer({ ...ANSWER, sentences: Array(1000).fill(sentence(2)) })).not.toBeNull();
  expect(readAnswer({ ...ANSWER, sentences: Array(1001).fill(sentence(2)) })).toBeNull();
  expect(readAnswer({ ...ANSWER, sentences: [sentence(101)] })).toBeNull();
});

it('the answer among the outputs of a cell is found', () => {
  const outputs = [
    { output_type: 'stream', text: 'x' },
    { data: { 'text/plain': 'x' } },
    { data: { [ANSWER_MEDIA_TYPE]: ANSWER } }
  ];
  expect(answerOf(outputs)).toEqual(ANSWER);
  expect(answerOf(outputs.slice(0, 2))).toBeNull();
});
