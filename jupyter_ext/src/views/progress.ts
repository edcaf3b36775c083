/** What happens while a question is under way: parts of a network starting, then one line a node. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put } from './dom';
import { statusWord } from './checkmarks';
import type { IAskEvent, INodeStatus, IPhase } from '../model/types';
import { line } from '../model/text';

/** Pure: what is known after one more event. */
export interface IProgress {
  phases: Map<string, IPhase>;
  nodes: Map<number, INodeStatus>;
  waiting: Set<number>;
}

export function begin(): IProgress {
  return { phases: new Map(), nodes: new Map(), waiting: new Set() };
}

export function advance(progress: IProgress, event: IAskEvent): IProgress {
  const { phases, nodes, waiting } = progress;
  if (event.phase) {
    return { phases: new Map(phases).set(event.phase.title, event.phase), nodes, waiting };
  }
  if (event.nodes) {
    const asked = event.nodes;
    return {
      phases: new Map(),
      nodes: new Map([...nodes, ...asked.map(node => [node.node, node] as const)]),
      waiting: new Set([...waiting, ...asked.map(node => node.node)])
    };
  }
  if (event.node) {
    const left = new Set(waiting);
    left.delete(event.node.node);
    return { phases, nodes: new Map(nodes).set(event.node.node, event.node), waiting: left };
  }
  return progress;
}

/** Whether nothing follows an event of a question that was heard out. */
export function isEnd(event: IAskEvent): boolean {
  return ['answer', 'stopped', 'error'].includes(event.event);
}

export class ProgressView {
  readonly node = h('section', { class: 'jp-knet-Progress', hidden: true });
  private progress = begin();
  private readonly said = h('p', { class: 'jp-knet-Said' });
  private readonly bar = h('progress', { class: 'jp-knet-ProgressBar' });
  private readonly list = h('ul', { class: 'jp-knet-Nodes' });

  constructor(private readonly trans: TranslationBundle) {
    this.node.setAttribute('aria-label', trans.__('Progress'));
    this.bar.setAttribute('aria-label', trans.__('Nodes that are done'));
    put(this.node, this.said, this.bar, this.list);
  }

  start(): void {
    this.progress = begin();
    this.node.hidden = false;
    this.bar.hidden = false;
    put(this.said, this.trans.__('Reading the network from the chain …'));
    this.draw();
  }

  take(event: IAskEvent): void {
    this.progress = advance(this.progress, event);
    this.draw();
  }

  /** Nothing is under way any more; `text` says how it ended, and stays if there is something to say. */
  end(text = ''): void {
    put(this.said, line(text, 1000));
    this.bar.hidden = true;
    this.node.hidden = !text;
    put(this.list);
  }

  private draw(): void {
    const { phases, nodes, waiting } = this.progress;
    const done = nodes.size - waiting.size;
    if (nodes.size) {
      put(this.said, this.trans.__('Asked %1 nodes, %2 done.', nodes.size, done));
      this.bar.max = nodes.size;
      this.bar.value = done;
    } else {
      this.bar.removeAttribute('value');
      if (phases.size) {
        put(this.said, this.trans.__('Starting the network …'));
      }
    }
    put(
      this.list,
      ...[...phases.values()].map(phase => this.item(phase.title, ratio(phase), 'starting')),
      ...[...nodes.values()].map(node =>
        waiting.has(node.node)
          ? this.item(node.title, this.trans.__('asking …'), 'asking')
          : this.item(node.title, this.outcome(node), node.status)
      )
    );
  }

  private outcome({ status, detail, milliseconds }: INodeStatus): string {
    return `${statusWord(status, this.trans)} ${detail} ${Math.round(milliseconds)} ms`;
  }

  private item(title: string, text: string, status: string): HTMLElement {
    return h('li', { 'data-status': line(status, 20) }, h('b', {}, line(title, 60)), ` ${line(text, 200)}`);
  }
}

function ratio(phase: IPhase): string {
  return phase.total ? `${phase.phase} ${phase.done}/${phase.total}` : phase.phase;
}
