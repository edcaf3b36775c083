/** One source of an answer: its text, its origin, and its checks. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IMarks } from '../model/checks';
import { button, h, source } from './dom';
import { marksView, reliabilityView } from './checkmarks';
import type { Passage } from '../model/types';
import { SHOWN_TEXT, line, prose } from '../model/text';

const LEAD = 24; // pixels of text shown above a quoted sentence

export interface IPassageActions {
  trace: () => void;
  cite: () => void;
  rate?: (value: number) => void;
}

/** Create a list item; `quoted` are the spans that the answer quotes, `holder` is the title of the node. */
export function passageView(
  passage: Passage,
  number: number,
  quoted: { start: number; end: number }[],
  marks: IMarks,
  actions: IPassageActions,
  holder: string,
  fresh: boolean,
  trans: TranslationBundle
): HTMLLIElement {
  const also = passage.sources.length;
  const name = trans.__('Source %1', number);
  return h(
    'li',
    {
      class: 'jp-knet-Passage',
      tabindex: -1,
      'data-passage': number,
      'data-node': passage.provenance.node,
      'aria-label': name
    },
    h(
      'div',
      { class: 'jp-knet-Passage-head' },
      h('span', { class: 'jp-knet-Number', 'aria-hidden': 'true' }, String(number)),
      h('span', { class: 'jp-knet-Passage-title' }, source(passage.title, passage.uri))
    ),
    h('div', { class: 'jp-knet-Passage-uri' }, line(passage.uri, 200)),
    h('blockquote', { class: 'jp-knet-Quote', tabindex: 0 }, ...highlighted(passage, quoted)),
    h(
      'div',
      { class: 'jp-knet-Facts' },
      h(
        'span',
        { title: trans.__('node %1', passage.provenance.node) },
        line(holder, 60) || trans.__('node %1', passage.provenance.node)
      ),
      h(
        'span',
        { title: trans.__('Computed again on this machine from the text and its vector') },
        trans.__('score %1', score(passage))
      ),
      also ? h('span', {}, trans._n('also held by %1 node', 'also held by %1 nodes', also, also)) : null,
      reliabilityView(passage.reliability, fresh, trans)
    ),
    marksView(marks, trans),
    h(
      'div',
      { class: 'jp-knet-Actions jp-mod-quiet' },
      button(trans.__('Trace'), actions.trace, { 'aria-label': trans.__('Trace source %1', number) }),
      button(trans.__('Copy citation'), actions.cite, {
        'aria-label': trans.__('Copy the citation of source %1', number)
      }),
      actions.rate &&
        button('+1', () => actions.rate!(1), { 'aria-label': trans.__('Rate source %1 as right', number) }),
      actions.rate &&
        button('−1', () => actions.rate!(-1), { 'aria-label': trans.__('Rate source %1 as wrong', number) })
    )
  );
}

/** Scroll a quotation to the span that the answer quotes. */
export function showMark(item: HTMLElement): void {
  const mark = item.querySelector<HTMLElement>('.jp-knet-Quote mark');
  const quote = mark?.closest<HTMLElement>('.jp-knet-Quote');
  if (mark && quote && mark.offsetTop + mark.offsetHeight > quote.offsetTop + quote.clientHeight) {
    quote.scrollTop = mark.offsetTop - quote.offsetTop - LEAD;
  }
}

function score(passage: Passage): string {
  const dense = passage.scores.dense;
  return (typeof dense === 'number' ? dense : passage.score).toFixed(2);
}

/** Return the passage's text with the quoted spans marked. Offsets count code points, as in the record. */
export function highlighted(passage: Passage, quoted: { start: number; end: number }[]): (Node | string)[] {
  const points = Array.from(passage.text.slice(0, 2 * SHOWN_TEXT)).slice(0, SHOWN_TEXT);
  const cut =
    points.length < passage.text.length && Array.from(passage.text.slice(0, 2 * SHOWN_TEXT + 2)).length > points.length;
  const parts: (Node | string)[] = [];
  let done = 0;
  for (const span of [...quoted].sort((a, b) => a.start - b.start)) {
    const [start, end] = [span.start - passage.start, Math.min(span.end - passage.start, points.length)];
    if (start >= done && start < end) {
      parts.push(withoutEmptyLines(points.slice(done, start)));
      parts.push(h('mark', {}, withoutEmptyLines(points.slice(start, end))));
      done = end;
    }
  }
  parts.push(withoutEmptyLines(points.slice(done)) + (cut ? '…' : ''));
  return parts;
}

/** Remove empty lines, which documentation has many of. */
function withoutEmptyLines(points: string[]): string {
  return prose(points.join('')).replace(/\n\s*\n/g, '\n');
}
