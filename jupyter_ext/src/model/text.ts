/** Untrusted text and numbers as text that is safe to show. */

import type { Answer, Reputation } from './types';

/** Maximum characters of a passage on display. */
export const SHOWN_TEXT = 1200;
/** Maximum characters of a sentence, a title or a reason on display. */
export const SHOWN_LINE = 400;

// Control and formatting characters can change the direction of text or hide parts of it.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Return the text as one line without unprintable characters, cut to a length. */
export function line(text: string, length = SHOWN_LINE): string {
  return clip(
    clip(text, 4 * length)
      .replace(UNPRINTABLE, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
    length
  );
}

/** Return the text without unprintable characters, with its line breaks, cut to a length. */
export function prose(text: string, length = SHOWN_TEXT): string {
  const lines = clip(text, length).split('\n');
  return lines.map(one => one.replace(UNPRINTABLE, ' ')).join('\n');
}

/** Cut a text to a length, with an ellipsis at the cut. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** Return true if a link may lead to this address: only http and https. */
export function isLink(uri: string): boolean {
  return /^https?:\/\/[^\s]+$/i.test(uri) && uri.length <= 2048 && URL.canParse(uri);
}

/** Return mean and standard deviation of the Beta(1 + positive, 1 + negative) posterior. */
export function belief(known: Reputation): { mean: number; deviation: number } {
  const total = 2 + known.positive + known.negative;
  const mean = (1 + known.positive) / total;
  return { mean, deviation: Math.sqrt((mean * (1 - mean)) / (total + 1)) };
}

/** Return mean and deviation as text: `0.67 ± 0.18`. */
export function plusMinus(mean: number, deviation: number): string {
  return `${mean.toFixed(2)} ± ${deviation.toFixed(2)}`;
}

/** Return a long name with its middle left out: `bafyre…3xq`. */
export function short(name: string, head = 10, tail = 6): string {
  return name.length <= head + tail + 1 ? name : `${name.slice(0, head)}…${name.slice(-tail)}`;
}

/** Return wei as ether with the significant digits. */
export function ether(wei: number): string {
  const amount = wei / 1e18;
  return amount === 0 ? '0' : amount >= 0.001 ? String(Number(amount.toPrecision(4))) : amount.toExponential(2);
}

/** Return unix seconds as a sortable date and time. */
export function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().replace('T', ' ').slice(0, 16) + ' UTC';
}

const SPANS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86400],
  ['month', 30 * 86400],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60]
];

/** Return the time since a moment (unix seconds) in words; a moment in the future counts as now. */
export function ago(seconds: number, now: number = Date.now() / 1000): string {
  const passed = Math.max(0, now - seconds);
  const words = new Intl.RelativeTimeFormat(globalThis.document?.documentElement.lang || 'en', { numeric: 'auto' });
  const [unit, length] = SPANS.find(([, least]) => passed >= least) ?? ['second', 1];
  return unit === 'second' ? words.format(0, 'second') : words.format(-Math.floor(passed / length), unit);
}

/** Return the citation of the exact span of a passage (counted from 1) for a paper. */
export function citation(answer: Answer, number: number): string {
  const passage = answer.passages[number - 1];
  const { node, manifest } = passage.provenance;
  const title = line(passage.title || passage.uri, 200);
  const where = `characters ${passage.start}–${passage.end}`;
  return `“${title}”, ${line(passage.uri, 300)}, ${where}. knet node ${node}, manifest ${manifest}, asked ${moment(answer.time)}.`;
}

/** Return the citations of all cited passages of an answer, one a line. */
export function citations(answer: Answer): string {
  const cited = answer.sentences.flatMap(sentence => sentence.citations.map(one => one.passage));
  const known = [...new Set(cited)].filter(index => index >= 0 && index < answer.passages.length);
  return known
    .sort((a, b) => a - b)
    .map(index => `[${index + 1}] ${citation(answer, index + 1)}`)
    .join('\n');
}

/** The kind of a source by its address, for the filter of the sources. */
export type Kind = 'web' | 'notebook' | 'code' | 'file';

export function kindOf(uri: string): Kind {
  if (/\.ipynb([#?].*)?$/i.test(uri)) {
    return 'notebook';
  }
  if (/^https?:/i.test(uri)) {
    return 'web';
  }
  return /^(python|pydoc|pkg):/i.test(uri) ? 'code' : 'file';
}
