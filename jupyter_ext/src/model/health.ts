/** What a pulse of the network comes to: pure, for the status bar, the panels and how soon to look again. */

import type { INodeHealth, IOwnNode, IPulse } from './types';

const BUSY_MILLISECONDS = 1000; // while something makes progress that somebody waits for
const WATCHED_MILLISECONDS = 5000; // while the network panel is in view
const CALM_MILLISECONDS = 30000; // for the status bar alone

export interface IVitals {
  total: number;
  answering: number;
  silent: INodeHealth[];
  busy: IOwnNode[];
  failed: IOwnNode[];
}

export function vitals(pulse: IPulse | null): IVitals {
  const nodes = pulse?.nodes ?? [];
  const own = pulse?.own ?? [];
  return {
    total: nodes.length,
    answering: nodes.filter(answers).length,
    silent: nodes.filter(node => !answers(node)),
    busy: own.filter(node => node.state === 'starting' || node.state === 'syncing'),
    failed: own.filter(node => node.state === 'failed')
  };
}

export function answers(node: INodeHealth): boolean {
  return node.state === 'up' || node.state === 'behind';
}

/** The color of a dot: how a network does as a whole. */
export function together(pulse: IPulse | null): 'off' | 'starting' | 'ready' | 'partly' | 'failed' {
  if (pulse?.state.state !== 'ready') {
    return pulse?.state.state ?? 'failed';
  }
  const { total, answering, failed } = vitals(pulse);
  if (pulse.problem || (total && !answering)) {
    return 'failed';
  }
  return answering < total || failed.length ? 'partly' : 'ready';
}

/** Milliseconds until the next look. */
export function pace(pulse: IPulse | null, watched: boolean): number {
  if (pulse?.state.state === 'starting' || vitals(pulse).busy.length) {
    return BUSY_MILLISECONDS;
  }
  return watched ? WATCHED_MILLISECONDS : CALM_MILLISECONDS;
}

/** Whole percents of what a node of mine is at; null while nobody knows. */
export function percent(node: IOwnNode): number | null {
  return node.total > 0 ? Math.min(100, Math.round((100 * node.done) / node.total)) : null;
}

/** What tells one state of the network's publications from another: who there is, and which version each holds. */
export function publications(nodes: { node: number; sequence: number }[]): string {
  return nodes
    .map(({ node, sequence }) => `${node}:${sequence}`)
    .sort()
    .join(' ');
}
