/** Ratings that wait, what sending them costs, and the button that spends it. */

import type { IDisposable } from '@lumino/disposable';

import { button, h, put } from './dom';
import type { IKnet } from './knet';
import type { IPending } from './records';
import { ether, line, short } from './text';

const HUNDREDTHS = 100; // of a full verdict, as ratings are counted on chain
const ROUNDING = 1024; // wei, of a sum that JSON's numbers hold

export class RatingsView implements IDisposable {
  readonly node: HTMLElement;
  isDisposed = false;
  private sending = false;
  private readonly body = h('div');
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });

  constructor(private readonly knet: IKnet) {
    const { trans } = knet;
    this.node = h(
      'section',
      { class: 'jp-knet-Ratings' },
      h('h3', { class: 'jp-knet-Heading' }, trans.__('Ratings that wait')),
      this.body,
      this.said
    );
    knet.ratingsChanged.connect(this.draw, this);
    put(this.body, trans.__('None.'));
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.ratingsChanged.disconnect(this.draw, this);
  }

  async refresh(): Promise<void> {
    await this.knet.api.pending().then(
      pending => this.draw(this.knet, pending),
      () => undefined
    );
  }

  private draw(_: IKnet, { ratings, cost }: IPending): void {
    const { trans, state } = this.knet;
    if (!ratings.length || !cost) {
      put(this.body, trans.__('None.'));
      return;
    }
    const free = state?.development ? ` ${trans.__('This is a development chain: it costs nothing real.')}` : '';
    put(
      this.body,
      h(
        'ul',
        { class: 'jp-knet-Nodes' },
        ...ratings.map(one =>
          h(
            'li',
            {},
            `${this.title(one.node)}: ${verdict(one.value)} `,
            button(trans.__('Take back'), () => void this.withdraw(one.receipt), {
              'aria-label': trans.__('Take back the rating of %1', this.title(one.node))
            })
          )
        )
      ),
      h(
        'p',
        { class: 'jp-knet-Cost' },
        trans.__('Sending them takes up to %1 gas (%2 ETH)', cost.gas.toLocaleString('en'), ether(cost.fee)),
        cost.bond
          ? trans.__(
              ', and a bond of %1 ETH besides, which is yours again ten days after your last batch.',
              ether(cost.bond)
            )
          : trans.__('; your bond of %1 ETH is enough.', ether(cost.bonded)),
        free
      ),
      button(
        trans._n('Send %1 rating', 'Send %1 ratings', ratings.length, ratings.length),
        () => void this.send(cost.bond),
        { class: 'jp-knet-Button jp-mod-accept' }
      )
    );
    this.enable(!this.sending);
  }

  private enable(enabled: boolean): void {
    this.body.querySelectorAll('button').forEach(one => (one.disabled = !enabled));
  }

  private async withdraw(receipt: string): Promise<void> {
    this.enable(false);
    await this.knet.withdraw(receipt).then(
      () => put(this.said, this.knet.trans.__('Taken back.')),
      (error: Error) => put(this.said, line(error.message, 1000))
    );
  }

  private title(node: number): string {
    const { trans, pulse } = this.knet;
    const found = pulse?.nodes.find(one => one.node === node);
    return line(found?.title ?? '', 60) || trans.__('node %1', node);
  }

  private async send(bond: number): Promise<void> {
    const { trans } = this.knet;
    put(this.said, trans.__('Writing to the chain …'));
    this.sending = true;
    this.enable(false);
    await this.knet.flush((BigInt(bond) + BigInt(bond && ROUNDING)).toString()).then(
      sent => put(this.said, trans.__('On chain in %1.', sent.map(one => short(line(one, 80))).join(', '))),
      (error: Error) => put(this.said, line(error.message, 1000))
    );
    this.sending = false;
    this.enable(true);
  }
}

/** `+1` for what is right, `−0.5` for what is half wrong; the chain counts hundredths. */
function verdict(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value) / HUNDREDTHS}`;
}
