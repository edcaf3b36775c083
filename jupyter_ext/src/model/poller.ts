/** Poller of the network's health: frequent while a panel shows it, rare otherwise, paused in a hidden tab. */

import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';

import type { HealthSnapshot } from './types';
import { pollInterval } from './health';

const MAX_MILLISECONDS = 120000; // between requests to a server that does not answer

export class Poller {
  private readonly poll: Poll<HealthSnapshot>;
  private watchers = 0;
  private last: HealthSnapshot | null = null;

  /** `read` requests a snapshot. `onSnapshot` gets each one, or null when the server does not answer. */
  constructor(
    private readonly read: () => Promise<HealthSnapshot>,
    private readonly onSnapshot: (health: HealthSnapshot | null) => void
  ) {
    this.poll = new Poll<HealthSnapshot>({
      name: 'knet-jupyter:health',
      factory: () => this.request(),
      frequency: this.frequency,
      standby: 'when-hidden'
    });
  }

  /** Poll more often until the result is disposed. */
  watch(): IDisposable {
    this.watchers++;
    void this.now();
    return new DisposableDelegate(() => {
      this.watchers--;
      this.poll.frequency = this.frequency;
    });
  }

  /** Poll now. */
  async now(): Promise<void> {
    await this.poll.refresh();
    await this.poll.tick;
  }

  private async request(): Promise<HealthSnapshot> {
    try {
      this.last = await this.read();
    } catch (error) {
      this.onSnapshot(null);
      throw error; // lengthens the interval of the poll
    }
    this.poll.frequency = this.frequency;
    this.onSnapshot(this.last);
    return this.last;
  }

  private get frequency(): { interval: number; max: number; backoff: boolean } {
    return { interval: pollInterval(this.last, this.watchers > 0), max: MAX_MILLISECONDS, backoff: true };
  }
}
