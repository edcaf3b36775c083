/** The status bar item: the state of the network, and a button to its panel. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { button, h, put } from './dom';
import type { IKnet } from '../model/model';
import type { HealthSnapshot, ConnectionState } from '../model/types';
import { line } from '../model/text';
import { percent, overall, summary } from '../model/health';

export class StatusItem extends Widget {
  private readonly label = h('span');
  private readonly dot = h('span', { class: 'jp-knet-Dot', 'aria-hidden': 'true' });
  private readonly opener: HTMLButtonElement;

  constructor(
    private readonly knet: IKnet,
    open: () => void
  ) {
    super();
    this.addClass('jp-knet-Status');
    this.opener = button('', open, { class: 'jp-knet-StatusButton' });
    put(this.opener, this.dot, this.label);
    this.node.append(this.opener);
    knet.stateChanged.connect(this.draw, this);
    knet.healthChanged.connect(this.draw, this);
    this.draw();
  }

  dispose(): void {
    this.knet.stateChanged.disconnect(this.draw, this);
    this.knet.healthChanged.disconnect(this.draw, this);
    super.dispose();
  }

  private draw(): void {
    const { state, health, trans } = this.knet;
    const current = health && state && health.state.state === state.state ? health : null;
    this.dot.dataset.state = current ? overall(current) : (state?.state ?? 'failed');
    put(this.label, `knet: ${connection(state, trans)}${current ? news(current, trans) : ''}`);
    this.opener.title = [trans.__('Open the knet network'), ...(current ? problems(current, trans) : [])].join('\n');
  }
}

function connection(state: ConnectionState | null, trans: TranslationBundle): string {
  const words = {
    off: trans.__('not connected'),
    starting: trans.__('starting'),
    ready: line(state?.profile ?? '', 30),
    failed: trans.__('not available')
  };
  return state ? words[state.state] : trans.__('no server');
}

/** Return the text after the network's name: problems first, then progress, then the number of nodes that answer. */
function news(health: HealthSnapshot, trans: TranslationBundle): string {
  const { total, answering, busy, failed } = summary(health);
  const parts = [
    ...failed.map(node => trans.__('%1 failed', line(node.name, 30))),
    ...busy.map(node => {
      const done = percent(node);
      const name = line(node.name, 30);
      const words = node.state === 'syncing' ? trans.__('syncing %1', name) : trans.__('starting %1', name);
      return done === null ? words : `${words} ${done} %`;
    })
  ];
  if (health.problem) {
    parts.unshift(trans.__('the chain does not answer'));
  } else if (total && answering < total) {
    parts.push(trans.__('%1 of %2 nodes answer', answering, total));
  } else if (total) {
    parts.push(trans._n('%1 node', '%1 nodes', total, total));
  }
  return parts.map(part => ` · ${part}`).join('');
}

/** Return the problems in detail, one a line. */
function problems(health: HealthSnapshot, trans: TranslationBundle): string[] {
  const { silent, failed } = summary(health);
  return [
    ...(health.problem ? [line(health.problem, 200)] : []),
    ...failed.map(node => `${line(node.name, 30)}: ${line(node.detail, 200)}`),
    ...silent
      .slice(0, 5)
      .map(node => `${line(node.title, 60) || trans.__('node %1', node.node)}: ${line(node.problem, 200)}`)
  ];
}
