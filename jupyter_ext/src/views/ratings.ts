/** The queued ratings, the cost of sending them, and the button to send. */

import type { IDisposable } from '@lumino/disposable';

import { button, enable, h, put, renew } from './dom';
import type { IKnet } from '../model/model';
import type { Cost, PendingRatings } from '../model/types';
import { ether, line, short } from '../model/text';

const FULL_RATING = 100; // the value of +1 on chain
const ROUNDING = 1024; // wei that a bond can lose as a JSON number

export class RatingsView implements IDisposable {
  readonly node: HTMLElement;
  isDisposed = false;
  private sending = false;
  private known = false; // true once the queue was read
  private readonly body = h('div');
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });

  constructor(private readonly knet: IKnet) {
    const { trans } = knet;
    this.node = h(
      'section',
      { class: 'jp-knet-Ratings', tabindex: -1, 'aria-label': trans.__('Ratings that wait') },
      h('h3', { class: 'jp-knet-Heading' }, trans.__('Ratings that wait')),
      this.body,
      this.message
    );
    knet.ratingsChanged.connect(this.draw, this);
    knet.profileChanged.connect(this.clear, this);
    knet.stateChanged.connect(this.onState, this);
    this.clear();
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.ratingsChanged.disconnect(this.draw, this);
    this.knet.profileChanged.disconnect(this.clear, this);
    this.knet.stateChanged.disconnect(this.onState, this);
  }

  async refresh(): Promise<void> {
    const pending = await this.knet.pending();
    if (this.knet.ready) {
      this.draw(this.knet, pending);
    }
  }

  /** Remove the ratings of another network. */
  private clear(): void {
    this.known = false;
    renew(this.body, this.node, this.knet.trans.__('Shown once the network is connected.'));
    put(this.message);
  }

  private onState(): void {
    if (!this.known && this.knet.ready && this.node.checkVisibility()) {
      void this.refresh();
    }
  }

  private draw(_: IKnet, { ratings, cost, problem }: PendingRatings): void {
    const { trans } = this.knet;
    this.known = true;
    renew(
      this.body,
      this.node,
      ratings.length ? h('ul', { class: 'jp-knet-Nodes' }, ...ratings.map(one => this.item(one))) : null,
      problem ? h('p', { class: 'jp-knet-Problem' }, line(problem, 1000)) : null,
      ...(cost && ratings.length ? [this.cost(cost), this.sender(ratings.length, cost)] : []),
      ratings.length || problem ? null : trans.__('None.')
    );
    this.enable(!this.sending);
  }

  private item({ node, value, receipt }: PendingRatings['ratings'][number]): HTMLElement {
    const { trans } = this.knet;
    return h(
      'li',
      {},
      `${this.title(node)}: ${signed(value)} `,
      button(trans.__('Take back'), () => void this.withdraw(receipt), {
        'aria-label': trans.__('Take back the rating of %1', this.title(node))
      })
    );
  }

  private cost({ gas, fee, bond, bonded }: Cost): HTMLElement {
    const { trans, state } = this.knet;
    return h(
      'p',
      { class: 'jp-knet-Cost' },
      trans.__('Sending them takes up to %1 gas (%2 ETH)', gas.toLocaleString('en'), ether(fee)),
      bond
        ? trans.__(', plus a bond of %1 ETH, which you can withdraw ten days after your last batch.', ether(bond))
        : trans.__('; your bond of %1 ETH is enough.', ether(bonded)),
      state?.development ? ` ${trans.__('This is a development chain: it costs nothing real.')}` : ''
    );
  }

  private sender(count: number, { bond }: Cost): HTMLElement {
    return button(this.knet.trans._n('Send %1 rating', 'Send %1 ratings', count, count), () => void this.send(bond), {
      class: 'jp-knet-Button jp-mod-accept'
    });
  }

  private enable(enabled: boolean): void {
    this.body.querySelectorAll('button').forEach(one => enable(one, enabled));
  }

  private async withdraw(receipt: string): Promise<void> {
    this.enable(false);
    await this.knet.withdraw(receipt).then(
      () => put(this.message, this.knet.trans.__('Taken back.')),
      (error: Error) => put(this.message, line(error.message, 1000))
    );
    this.enable(!this.sending);
  }

  private title(node: number): string {
    const { trans, health } = this.knet;
    const found = health?.nodes.find(one => one.node === node);
    return line(found?.title ?? '', 60) || trans.__('node %1', node);
  }

  private async send(bond: number): Promise<void> {
    const { trans } = this.knet;
    put(this.message, trans.__('Writing to the chain …'));
    this.sending = true;
    this.enable(false);
    await this.knet.flush((BigInt(bond) + BigInt(bond && ROUNDING)).toString()).then(
      sent => put(this.message, this.outcome(sent)),
      (error: Error) => put(this.message, line(error.message, 1000))
    );
    this.sending = false;
    this.enable(true);
  }

  private outcome(sent: string[]): string {
    const { trans } = this.knet;
    return sent.length
      ? trans.__('On chain in %1.', sent.map(one => short(line(one, 80))).join(', '))
      : trans.__('No rating was left: it was sent or taken back elsewhere.');
  }
}

/** Return the rating with its sign, for example `+1` or `−0.5`. */
function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value) / FULL_RATING}`;
}
