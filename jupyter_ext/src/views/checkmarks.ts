/** Check marks and reliability figures. Every sign has its meaning in words. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IMarks, Mark } from '../model/checks';
import { h } from './dom';
import type { Reputation } from '../model/types';
import { belief, line, plusMinus } from '../model/text';

const SIGNS: { [mark in Mark]: string } = { holds: '✓', fails: '✗', unknown: '?', claimed: '○', none: '–' };

/** Show the marks of signature, inclusion and freshness. */
export function marksView(marks: IMarks, trans: TranslationBundle): HTMLElement {
  const names: { [mark in keyof IMarks]: string } = {
    signature: trans.__('signature'),
    inclusion: trans.__('inclusion'),
    freshness: trans.__('freshness')
  };
  const words: { [mark in Mark]: string } = {
    holds: trans.__('holds'),
    fails: trans.__('fails'),
    unknown: trans.__('could not be checked'),
    claimed: trans.__('claimed, not checked again yet'),
    none: trans.__('not needed: no node was asked')
  };
  return h(
    'ul',
    { class: 'jp-knet-Marks', 'aria-label': trans.__('Checks') },
    ...(Object.keys(names) as (keyof IMarks)[]).map(key =>
      h(
        'li',
        { 'data-mark': marks[key], 'data-check': key, title: `${names[key]}: ${words[marks[key]]}` },
        h('span', { 'aria-hidden': 'true' }, SIGNS[marks[key]]),
        h('span', {}, names[key]),
        h('span', { class: 'jp-knet-Hidden' }, `: ${words[marks[key]]}`)
      )
    )
  );
}

/** Return the outcome of the question at a node, in words. */
export function statusWord(status: string, trans: TranslationBundle): string {
  const words = new Map([
    ['success', trans.__('answered')],
    ['skipped', trans.__('not asked')],
    ['timeout', trans.__('too late')],
    ['busy', trans.__('busy')],
    ['access_denied', trans.__('access denied')],
    ['unverified', trans.__('sent an answer that failed its checks')],
    ['error', trans.__('failed')]
  ]);
  return words.get(status) ?? line(status, 20);
}

/** Show reliability as a bar with its uncertainty, and as numbers. In a stored answer it is not covered by any check. */
export function reliabilityView(known: Reputation, fresh: boolean, trans: TranslationBundle): HTMLElement {
  const { mean, deviation } = belief(known);
  const rated = trans._n('%1 rating', '%1 ratings', known.count, known.count);
  return h(
    'span',
    { class: 'jp-knet-Reliability', title: trans.__('Reliability on chain, with its standard deviation') },
    reliabilityBar(mean, deviation),
    h('span', {}, known.count ? `${plusMinus(mean, deviation)} (${rated})` : trans.__('not rated yet')),
    fresh ? null : h('span', { class: 'jp-knet-Dim' }, trans.__('as recorded'))
  );
}

/** Draw the bar: a tick at the mean, a band of one standard deviation. */
export function reliabilityBar(mean: number, deviation: number): HTMLElement {
  const bar = h('span', { class: 'jp-knet-Bar', 'aria-hidden': 'true' }, h('span'), h('span'));
  const [spread, tick] = [bar.children[0] as HTMLElement, bar.children[1] as HTMLElement];
  const low = Math.max(mean - deviation, 0);
  spread.style.left = `${100 * low}%`;
  spread.style.width = `${100 * (Math.min(mean + deviation, 1) - low)}%`;
  tick.style.left = `${100 * Math.min(Math.max(mean, 0), 1)}%`;
  return bar;
}
