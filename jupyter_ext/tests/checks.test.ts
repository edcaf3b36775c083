import { describe, expect, it } from 'vitest';

import { marks, quotation, tally, worst } from '../src/model/checks';
import type { CheckKind, Answer, Check } from '../src/model/types';

const answer = {
  passages: [{ provenance: { node: 7, receipt: 0 } }, { provenance: { node: 8, receipt: null } }]
} as unknown as Answer;

const NONE = { claim: '', subject: '', detail: '', passage: null, sentence: null, receipt: null, node: null };
const check = (kind: CheckKind, ok: boolean | null, numbers: Partial<Check>): Check => ({
  ...NONE,
  kind,
  ok,
  ...numbers
});

describe('marks', () => {
  it('are claimed in a saved answer, and hold in a fresh one', () => {
    expect(marks(answer, 1, null, false)).toEqual({ signature: 'claimed', inclusion: 'claimed', freshness: 'claimed' });
    expect(marks(answer, 1, null, true)).toEqual({ signature: 'holds', inclusion: 'holds', freshness: 'holds' });
    expect(marks(answer, 2, null, true).signature).toBe('none');
  });

  it('come from the checks of the passage and of its receipt', () => {
    const report = {
      checks: [
        check('receipt', true, { receipt: 1 }),
        check('covered', true, { passage: 1 }),
        check('in_manifest', false, { passage: 1 }),
        check('on_chain', null, { passage: 1 }),
        check('in_manifest', true, { passage: 2 })
      ]
    };
    expect(marks(answer, 1, report, true)).toEqual({ signature: 'holds', inclusion: 'fails', freshness: 'unknown' });
    expect(marks(answer, 2, report, true)).toEqual({ signature: 'none', inclusion: 'holds', freshness: 'unknown' });
    expect(tally(report)).toEqual({ held: 3, failed: 1, unchecked: 1 });
  });

  it('of a sentence come from its citations', () => {
    const report = { checks: [check('citation', true, { sentence: 1 }), check('citation', false, { sentence: 1 })] };
    expect(quotation(1, report, true)).toBe('fails');
    expect(quotation(2, report, true)).toBe('unknown');
    expect(quotation(1, null, true)).toBe('holds');
    expect(quotation(1, null, false)).toBe('claimed');
    expect(quotation(0, null, true)).toBe('none');
  });

  it('of a sentence that the writer did not make of its passages fails', () => {
    const cited = check('citation', true, { sentence: 1 });
    const derived = (ok: boolean | null) => ({ checks: [cited, check('derived', ok, {})] });
    expect(quotation(1, derived(true), true)).toBe('holds');
    expect(quotation(1, derived(null), true)).toBe('unknown');
    expect(quotation(1, derived(false), true)).toBe('fails');
    expect(quotation(2, derived(true), true)).toBe('unknown');
  });
});

it('an empty list of checks is unknown', () => {
  expect(worst([])).toBe('unknown');
});
