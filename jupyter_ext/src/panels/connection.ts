/** The connection line at the top of a panel: the network's name, its state, and a button to connect. */

import { IDisposable } from '@lumino/disposable';

import { button, h, put, renew } from '../views/dom';
import type { IKnet } from '../model/model';
import { line } from '../model/text';
import { DEMO } from '../model/types';

export class ConnectionView implements IDisposable {
  readonly node = h('div', { class: 'jp-knet-State', tabindex: -1 });
  private readonly dot = h('span', { class: 'jp-knet-Dot', 'aria-hidden': 'true' });
  private readonly message = h('span', { role: 'status' }); // read aloud at each change
  private readonly details = h('div', { class: 'jp-knet-State-more' });
  isDisposed = false;

  constructor(private readonly knet: IKnet) {
    put(this.node, this.dot, this.message, this.details);
    knet.stateChanged.connect(this.draw, this);
    this.draw();
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.stateChanged.disconnect(this.draw, this);
  }

  private draw(): void {
    const { state, trans } = this.knet;
    this.dot.hidden = !state;
    if (!state) {
      this.showMessage(trans.__('The knet server extension does not answer.'));
      renew(this.details, this.node);
      return;
    }
    const words = {
      off: state.profile ? trans.__('not connected') : trans.__('no network is configured'),
      starting: trans.__('starting …'),
      ready: trans.__('connected'),
      failed: trans.__('not available')
    };
    const idle = state.state === 'off' || state.state === 'failed';
    this.dot.dataset.state = state.state;
    this.showMessage(`${state.profile ? `${line(state.profile, 40)}: ` : ''}${words[state.state]}`);
    renew(
      this.details,
      this.node,
      idle && state.profile ? button(trans.__('Connect'), () => this.connect(state.profile)) : null,
      idle && !state.profile ? button(trans.__('Start the demo network'), () => this.connect(DEMO)) : null,
      state.detail ? h('span', { class: 'jp-knet-Dim' }, line(state.detail)) : null,
      ...state.phases.map(phase =>
        h(
          'span',
          { class: 'jp-knet-Dim' },
          `${line(phase.title, 60)}: ${line(phase.phase, 40)}${phase.total ? ` ${phase.done}/${phase.total}` : ''}`
        )
      )
    );
  }

  private showMessage(text: string): void {
    if (text !== this.message.textContent) {
      put(this.message, text);
    }
  }

  private connect(profile: string): void {
    this.knet.use(profile);
    void this.knet.connect().catch(() => undefined);
  }
}
