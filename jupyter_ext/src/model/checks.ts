/** The marks of each passage, from the client's checks while asking or from a new verification. */

import type { CheckKind, Answer, Check, VerificationReport } from './types';

/** `claimed`: stated by the record and not verified yet. `none`: not applicable. */
export type Mark = 'holds' | 'fails' | 'unknown' | 'claimed' | 'none';

export interface IMarks {
  signature: Mark;
  inclusion: Mark;
  freshness: Mark;
}

const KINDS: { [mark in keyof IMarks]: CheckKind[] } = {
  signature: ['receipt', 'covered'],
  inclusion: ['in_manifest', 'exact_text', 'similarity', 'text_vector'],
  freshness: ['on_chain']
};

/** Return the marks of passage `number` (from 1). `fresh`: the server has just delivered the answer, and it delivers
 * only passages that passed its checks. */
export function marks(answer: Answer, number: number, report: VerificationReport | null, fresh: boolean): IMarks {
  const provenance = answer.passages[number - 1].provenance;
  if (!report) {
    const known: Mark = fresh ? 'holds' : 'claimed';
    return { signature: provenance.receipt === null ? 'none' : known, inclusion: known, freshness: known };
  }
  const receipt = provenance.receipt === null ? undefined : provenance.receipt + 1;
  const of = (mark: keyof IMarks) =>
    worst(
      report.checks.filter(
        check => KINDS[mark].includes(check.kind) && (check.passage === number || check.receipt === receipt)
      )
    );
  return {
    signature: provenance.receipt === null ? 'none' : of('signature'),
    inclusion: of('inclusion'),
    freshness: of('freshness')
  };
}

/** Return the mark of sentence `number` (from 1; 0: there is none) by its citations and the derivation of the text. */
export function quotation(number: number, report: VerificationReport | null, fresh: boolean): Mark {
  if (!number) {
    return 'none';
  }
  if (report) {
    const cited = report.checks.filter(check => check.kind === 'citation' && check.sentence === number);
    return worst(cited.length ? [...cited, ...report.checks.filter(check => check.kind === 'derived')] : []);
  }
  return fresh ? 'holds' : 'claimed';
}

/** Return the worst of several checks; no check at all is unknown. */
export function worst(checks: Check[]): Mark {
  if (checks.some(check => check.ok === false)) {
    return 'fails';
  }
  return checks.length && checks.every(check => check.ok) ? 'holds' : 'unknown';
}

export interface ITally {
  held: number;
  failed: number;
  unchecked: number;
}

/** Count the claims that hold, that fail, and that could not be checked. */
export function tally(report: VerificationReport): ITally {
  const count = (ok: boolean | null) => report.checks.filter(check => check.ok === ok).length;
  return { held: count(true), failed: count(false), unchecked: count(null) };
}
