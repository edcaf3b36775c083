/** The progress of a question: the starting parts of a network, then one line a node. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put } from './dom';
import { statusWord } from './checkmarks';
import type { AskEvent, NodeStatus, Phase } from '../model/types';
import { line } from '../model/text';

/** The state of the progress; `advance` returns the state after one more event. */
export interface IProgress {
  phases: Map<string, Phase>;
  nodes: Map<number, NodeStatus>;
  waiting: Set<number>;
}

export function begin(): IProgress {
  return { phases: new Map(), nodes: new Map(), waiting: new Set() };
}

export function advance(progress: IProgress, event: AskEvent): IProgress {
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

/** Return true for the last event of a question. */
export function isEnd(event: AskEvent): boolean {
  return ['answer', 'stopped', 'error'].includes(event.event);
}

export class ProgressView {
  readonly node = h('section', { class: 'jp-knet-Progress', hidden: true });
  private progress = begin();
  private readonly message = h('p', { class: 'jp-knet-Message' });
  private readonly bar = h('progress', { class: 'jp-knet-ProgressBar' });
  private readonly list = h('ul', { class: 'jp-knet-Nodes' });

  constructor(private readonly trans: TranslationBundle) {
    this.node.setAttribute('aria-label', trans.__('Progress'));
    this.bar.setAttribute('aria-label', trans.__('Finished nodes'));
    put(this.node, this.message, this.bar, this.list);
  }

  start(): void {
    this.progress = begin();
    this.node.hidden = false;
    this.bar.hidden = false;
    put(this.message, this.trans.__('Reading the network from the chain …'));
    this.draw();
  }

  take(event: AskEvent): void {
    this.progress = advance(this.progress, event);
    this.draw();
  }

  /** End the progress; a non-empty `text` stays visible. */
  end(text = ''): void {
    put(this.message, line(text, 1000));
    this.bar.hidden = true;
    this.node.hidden = !text;
    put(this.list);
  }

  private draw(): void {
    const { phases, nodes, waiting } = this.progress;
    const done = nodes.size - waiting.size;
    if (nodes.size) {
      put(this.message, this.trans.__('Asked %1 nodes, %2 done.', nodes.size, done));
      this.bar.max = nodes.size;
      this.bar.value = done;
    } else {
      this.bar.removeAttribute('value');
      if (phases.size) {
        put(this.message, this.trans.__('Starting the network …'));
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

  private outcome({ status, detail, milliseconds }: NodeStatus): string {
    return `${statusWord(status, this.trans)} ${detail} ${Math.round(milliseconds)} ms`;
  }

  private item(title: string, text: string, status: string): HTMLElement {
    return h('li', { 'data-status': line(status, 20) }, h('b', {}, line(title, 60)), ` ${line(text, 200)}`);
  }
}

function ratio(phase: Phase): string {
  return phase.total ? `${phase.phase} ${phase.done}/${phase.total}` : phase.phase;
}
