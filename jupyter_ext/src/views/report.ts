/** The view of a verification report. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { tally } from '../model/checks';
import { h } from './dom';
import type { Check, VerificationReport } from '../model/types';
import { line } from '../model/text';

const ORDER = (check: Check) => (check.ok === false ? 0 : check.ok === null ? 1 : 2);

/** Create the summary and the claims, failed ones first. */
export function reportView(report: VerificationReport, trans: TranslationBundle): HTMLElement {
  const { held, failed, unchecked } = tally(report);
  const worst = failed ? 'fails' : unchecked ? 'unknown' : 'holds';
  const words = { true: trans.__('holds'), false: trans.__('fails'), null: trans.__('could not be checked') };
  return h(
    'details',
    { class: 'jp-knet-Report', open: failed > 0 },
    h(
      'summary',
      { 'data-mark': worst },
      trans.__('%1 claims hold, %2 fail, %3 could not be checked', held, failed, unchecked)
    ),
    h(
      'ul',
      { class: 'jp-knet-Claims' },
      ...[...report.checks]
        .sort((a, b) => ORDER(a) - ORDER(b))
        .map(check => {
          const word = words[String(check.ok) as keyof typeof words];
          return h(
            'li',
            { 'data-mark': check.ok === false ? 'fails' : check.ok ? 'holds' : 'unknown' },
            h('span', { 'aria-hidden': 'true' }, check.ok ? '✓ ' : check.ok === false ? '✗ ' : '? '),
            `${line(check.claim, 60)}, ${line(check.subject, 80)}`,
            h('span', { class: 'jp-knet-Hidden' }, `: ${word}`),
            check.detail ? h('span', { class: 'jp-knet-Dim' }, ` ${line(check.detail)}`) : null
          );
        })
    )
  );
}
