/** Summary of a health snapshot for the status bar, the panels and the poll interval. */

import type { NodeHealth, LocalNode, HealthSnapshot } from './types';

const BUSY_MILLISECONDS = 1000; // while a network or node starts or syncs
const WATCHED_MILLISECONDS = 5000; // while the network panel is in view
const CALM_MILLISECONDS = 30000; // for the status bar only

export interface ISummary {
  total: number;
  answering: number;
  silent: NodeHealth[];
  busy: LocalNode[];
  failed: LocalNode[];
}

export function summary(health: HealthSnapshot | null): ISummary {
  const nodes = health?.nodes ?? [];
  const local = health?.local_nodes ?? [];
  return {
    total: nodes.length,
    answering: nodes.filter(answers).length,
    silent: nodes.filter(node => !answers(node)),
    busy: local.filter(node => node.state === 'starting' || node.state === 'syncing'),
    failed: local.filter(node => node.state === 'failed')
  };
}

export function answers(node: NodeHealth): boolean {
  return node.state === 'up' || node.state === 'behind';
}

/** Return the overall state of a network, which is the color of its dot. */
export function overall(health: HealthSnapshot | null): 'off' | 'starting' | 'ready' | 'partly' | 'failed' {
  if (health?.state.state !== 'ready') {
    return health?.state.state ?? 'failed';
  }
  const { total, answering, failed } = summary(health);
  if (health.problem || (total && !answering)) {
    return 'failed';
  }
  return answering < total || failed.length ? 'partly' : 'ready';
}

/** Return the milliseconds until the next poll. */
export function pollInterval(health: HealthSnapshot | null, watched: boolean): number {
  if (health?.state.state === 'starting' || summary(health).busy.length) {
    return BUSY_MILLISECONDS;
  }
  return watched ? WATCHED_MILLISECONDS : CALM_MILLISECONDS;
}

/** Return the progress of a local node in whole percent; null while the total is unknown. */
export function percent(node: LocalNode): number | null {
  return node.total > 0 ? Math.min(100, Math.round((100 * node.done) / node.total)) : null;
}

/** Return a key of the network's publications: the id and the version of every node. */
export function publications(nodes: { node: number; sequence: number }[]): string {
  return nodes
    .map(({ node, sequence }) => `${node}:${sequence}`)
    .sort()
    .join(' ');
}
