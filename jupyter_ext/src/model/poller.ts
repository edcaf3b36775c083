/** Looks at the network again and again: often while somebody watches, seldom otherwise, never in a hidden tab. */

import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';

import type { IPulse } from './types';
import { pace } from './health';

const MAX_MILLISECONDS = 120000; // between looks at a server that does not answer

export class Heartbeat {
  private readonly poll: Poll<IPulse>;
  private watchers = 0;
  private last: IPulse | null = null;

  /** `take` reads a pulse, `beat` hears of each; null when the server does not answer. */
  constructor(
    private readonly take: () => Promise<IPulse>,
    private readonly beat: (pulse: IPulse | null) => void
  ) {
    this.poll = new Poll<IPulse>({
      name: 'knet-jupyter:pulse',
      factory: () => this.look(),
      frequency: this.frequency,
      standby: 'when-hidden'
    });
  }

  /** Look more often until this is disposed of. */
  watch(): IDisposable {
    this.watchers++;
    void this.now();
    return new DisposableDelegate(() => {
      this.watchers--;
      this.poll.frequency = this.frequency;
    });
  }

  /** Look now. */
  async now(): Promise<void> {
    await this.poll.refresh();
    await this.poll.tick;
  }

  private async look(): Promise<IPulse> {
    try {
      this.last = await this.take();
    } catch (error) {
      this.beat(null);
      throw error; // the poll waits longer each time
    }
    this.poll.frequency = this.frequency;
    this.beat(this.last);
    return this.last;
  }

  private get frequency(): { interval: number; max: number; backoff: boolean } {
    return { interval: pace(this.last, this.watchers > 0), max: MAX_MILLISECONDS, backoff: true };
  }
}
