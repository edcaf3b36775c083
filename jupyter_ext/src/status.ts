/** The item in the status bar: the network's state in two words, and a way to its panel. */

import { Widget } from '@lumino/widgets';

import { button, h, put } from './dom';
import type { IKnet } from './knet';
import type { IState } from './records';
import { line } from './text';

export class StatusItem extends Widget {
  private readonly label = h('span');
  private readonly dot = h('span', { class: 'jp-knet-Dot', 'aria-hidden': 'true' });

  constructor(
    private readonly knet: IKnet,
    open: () => void
  ) {
    super();
    this.addClass('jp-knet-Status');
    const opener = button('', open, { class: 'jp-knet-StatusButton', title: knet.trans.__('Open the knet network') });
    put(opener, this.dot, this.label);
    this.node.append(opener);
    knet.stateChanged.connect(this.draw, this);
    this.draw(knet, knet.state);
  }

  dispose(): void {
    this.knet.stateChanged.disconnect(this.draw, this);
    super.dispose();
  }

  private draw(_: IKnet, state: IState | null): void {
    const { trans } = this.knet;
    const words = {
      off: trans.__('not connected'),
      starting: trans.__('starting'),
      ready: line(state?.profile ?? '', 30),
      failed: trans.__('not there')
    };
    this.dot.dataset.state = state?.state ?? 'failed';
    put(this.label, `knet: ${state ? words[state.state] : trans.__('no server')}`);
  }
}
