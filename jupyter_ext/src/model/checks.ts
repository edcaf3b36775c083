/** What is known of each passage: three marks, from what the client checked while asking or from a new verification. */

import type { IAnswer, ICheck, IReport } from './types';

/** `claimed`: the record says so and nobody looked yet. */
export type Mark = 'holds' | 'fails' | 'unknown' | 'claimed' | 'none';

export interface IMarks {
  signature: Mark;
  inclusion: Mark;
  freshness: Mark;
}

const CLAIMS: { [mark in keyof IMarks]: string[] } = {
  signature: ['receipt', 'receipt covers it'],
  inclusion: ['in its manifest', 'exact text and source', 'similarity', 'vector fits text'],
  freshness: ['manifest on chain']
};

/** Marks of passage `number` (from 1). `fresh`: the answer came from the server just now, which lets only what it
 * checked through. */
export function marks(answer: IAnswer, number: number, report: IReport | null, fresh: boolean): IMarks {
  const provenance = answer.passages[number - 1].provenance;
  if (!report) {
    const known: Mark = fresh ? 'holds' : 'claimed';
    return { signature: provenance.receipt === null ? 'none' : known, inclusion: known, freshness: known };
  }
  const about = `passage ${number} of node ${provenance.node}`;
  const receipt = provenance.receipt === null ? '' : `receipt ${provenance.receipt + 1} of node ${provenance.node}`;
  const of = (mark: keyof IMarks) =>
    together(
      report.checks.filter(
        check => CLAIMS[mark].includes(check.claim) && (check.subject === about || check.subject === receipt)
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
  const about = report?.checks.filter(check => check.claim === 'citation' && check.subject === `sentence ${number}`);
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
