/** What is known of each passage: three marks, from what the client checked while asking or from a new verification. */

import type { CheckKind, IAnswer, ICheck, IReport } from './types';

/** `claimed`: the record says so and nobody looked yet. */
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

/** Marks of passage `number` (from 1). `fresh`: the answer came from the server just now, which lets only what it
 * checked through. */
export function marks(answer: IAnswer, number: number, report: IReport | null, fresh: boolean): IMarks {
  const provenance = answer.passages[number - 1].provenance;
  if (!report) {
    const known: Mark = fresh ? 'holds' : 'claimed';
    return { signature: provenance.receipt === null ? 'none' : known, inclusion: known, freshness: known };
  }
  const receipt = provenance.receipt === null ? undefined : provenance.receipt + 1;
  const of = (mark: keyof IMarks) =>
    together(
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

/** Whether sentence `number` (from 1; 0: there is none) is what the passage says. */
export function quotation(number: number, report: IReport | null, fresh: boolean): Mark {
  if (!number) {
    return 'none';
  }
  const about = report?.checks.filter(check => check.kind === 'citation' && check.sentence === number);
  return about ? together(about) : fresh ? 'holds' : 'claimed';
}

/** The worst of several checks; nothing checked is unknown. */
export function together(checks: ICheck[]): Mark {
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

/** How many claims hold, fail, and could not be checked. */
export function tally(report: IReport): ITally {
  const count = (ok: boolean | null) => report.checks.filter(check => check.ok === ok).length;
  return { held: count(true), failed: count(false), unchecked: count(null) };
}
