/** One line on the network at the top of a panel: which one, whether it is there, and a button that brings it up. */

import { IDisposable } from '@lumino/disposable';

import { button, h, put } from './dom';
import type { IKnet } from './knet';
import { line } from './text';

const DEMO = 'demo';

export class StatePanel implements IDisposable {
  readonly node = h('div', { class: 'jp-knet-State', role: 'status' });
  isDisposed = false;

  constructor(private readonly knet: IKnet) {
    knet.stateChanged.connect(this.draw, this);
    this.draw();
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.stateChanged.disconnect(this.draw, this);
  }

  private draw(): void {
    const { state, trans } = this.knet;
    if (!state) {
      put(this.node, trans.__('The knet server extension does not answer.'));
      return;
    }
    const words = {
      off: state.profile ? trans.__('not connected') : trans.__('no network is configured'),
      starting: trans.__('starting …'),
      ready: trans.__('connected'),
      failed: trans.__('not there')
    };
    const idle = state.state === 'off' || state.state === 'failed';
    put(
      this.node,
      h('span', { class: 'jp-knet-Dot', 'data-state': state.state, 'aria-hidden': 'true' }),
      h('span', {}, state.profile ? `${line(state.profile, 40)}: ` : '', words[state.state]),
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

  private connect(profile: string): void {
    this.knet.api.profile = profile;
    void this.knet.connect().catch(() => undefined);
  }
}
