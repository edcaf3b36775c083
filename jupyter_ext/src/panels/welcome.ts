/** The start page of the ask panel: the nodes of the network, and example questions. */

import type { IDisposable } from '@lumino/disposable';

import { button, h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import { line } from '../model/text';
import { answers } from '../model/health';
import { DEMO } from '../model/types';

const EXAMPLES = [
  'What does heapq.heapreplace pop and return?',
  'How are nan values ordered by numpy.sort?',
  'Which of the two middle values does statistics.median_low return?'
]; // for the nodes of the demo network
const MAX_NAMES = 6; // nodes that are named

export class WelcomeView implements IDisposable {
  readonly node = h('section', { class: 'jp-knet-Start' });
  isDisposed = false;

  constructor(
    private readonly knet: IKnet,
    private readonly ask: (question: string) => void
  ) {
    knet.stateChanged.connect(this.draw, this);
    knet.healthChanged.connect(this.draw, this);
    this.draw();
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.stateChanged.disconnect(this.draw, this);
    this.knet.healthChanged.disconnect(this.draw, this);
  }

  private draw(): void {
    const { trans, state } = this.knet;
    if (this.node.contains(document.activeElement)) {
      return; // the user is about to choose an example
    }
    const demo = state?.profile === DEMO;
    put(
      this.node,
      h('p', {}, trans.__('Every sentence of an answer leads to the exact words it comes from, and each is checked.')),
      demo && state?.state === 'off'
        ? h(
            'p',
            {},
            trans.__('The demo network starts with the first question; the first start on a machine takes minutes.')
          )
        : null,
      ...this.holdings(),
      ...(demo ? this.examples() : [])
    );
  }

  private holdings(): HTMLElement[] {
    const { trans, health } = this.knet;
    const titles = (health?.nodes ?? []).filter(answers).map(node => line(node.title, 60));
    if (!titles.length) {
      return [];
    }
    const more = titles.length - MAX_NAMES;
    const names = titles.slice(0, MAX_NAMES).join(', ') + (more > 0 ? `, ${trans.__('and %1 more', more)}` : '');
    return [h('p', {}, trans.__('Nodes that answer: %1.', names))];
  }

  private examples(): HTMLElement[] {
    return [
      h('p', { class: 'jp-knet-Dim' }, this.knet.trans.__('For example:')),
      h(
        'ul',
        { class: 'jp-knet-Examples' },
        ...EXAMPLES.map(question =>
          h(
            'li',
            {},
            button(question, () => this.ask(question), { class: 'jp-knet-Example' })
          )
        )
      )
    ];
  }
}
