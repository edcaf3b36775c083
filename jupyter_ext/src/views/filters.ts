/** The filters of a question: nodes, kinds of sources, minimum reliability, private mode. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put } from './dom';
import type { NodeInfo } from '../model/types';
import { Kind, line } from '../model/text';

export interface IFilters {
  nodes: number[];
  kinds: Set<Kind> | null;
  private: boolean;
  min_reliability: number;
}

export interface IChoice {
  node: number;
  title: string;
  chosen: boolean;
  away: boolean; // chosen before, and not available now
}

/** Return the nodes to choose from: those that can be asked, and those chosen before. */
export function choices(infos: NodeInfo[], before: IChoice[]): IChoice[] {
  const chosen = before.filter(one => one.chosen);
  const usable = infos.filter(info => !info.problem);
  const away = chosen.filter(one => !usable.some(info => info.node === one.node));
  return [
    ...usable.map(({ node, title }) => ({ node, title, chosen: chosen.some(one => one.node === node), away: false })),
    ...away.map(one => ({ ...one, away: true }))
  ];
}

/** Count the filters that are set. */
export function active(filters: IFilters): number {
  const { nodes, kinds, min_reliability } = filters;
  return [nodes.length, kinds, filters.private, min_reliability].filter(Boolean).length;
}

export class Filters {
  readonly node: HTMLDetailsElement;
  private readonly isPrivate = h('input', { type: 'checkbox' });
  private readonly minimum = h('input', { type: 'range', min: 0, max: 0.9, step: 0.1, value: 0 });
  private readonly shown = h('output');
  private readonly nodes = h('div', { class: 'jp-knet-Choices' });
  private readonly kinds = new Map<Kind, HTMLInputElement>();
  private readonly summary = h('summary');
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });
  private choices: IChoice[] = [];

  constructor(private readonly trans: TranslationBundle) {
    const names: [Kind, string][] = [
      ['code', trans.__('documentation of code')],
      ['file', trans.__('files')],
      ['notebook', trans.__('notebooks')],
      ['web', trans.__('web pages')]
    ];
    this.node = h(
      'details',
      { class: 'jp-knet-Details' },
      this.summary,
      h('label', { class: 'jp-knet-Field' }, h('span', {}, trans.__('Reliability at least')), this.minimum, this.shown),
      h(
        'label',
        { class: 'jp-knet-Choice', title: trans.__('Fetches published shards and searches them here') },
        this.isPrivate,
        trans.__('Private: no node learns the question')
      ),
      h(
        'fieldset',
        {},
        h('legend', {}, trans.__('Show sources that are')),
        h('div', { class: 'jp-knet-Choices' }, ...names.map(([kind, name]) => this.kind(kind, name)))
      ),
      h('fieldset', {}, h('legend', {}, trans.__('Ask only these nodes (none: the best)')), this.nodes, this.message)
    );
    this.node.addEventListener('input', () => this.count());
    this.count();
  }

  get value(): IFilters {
    const kinds = [...this.kinds].filter(([, box]) => box.checked).map(([kind]) => kind);
    return {
      nodes: this.choices.filter(one => one.chosen).map(one => one.node),
      kinds: kinds.length === this.kinds.size ? null : new Set(kinds),
      private: this.isPrivate.checked,
      min_reliability: Number(this.minimum.value)
    };
  }

  /** True if there is no node to choose. */
  get empty(): boolean {
    return !this.choices.length;
  }

  /** Show the current nodes; the chosen ones stay chosen. */
  offer(infos: NodeInfo[]): void {
    this.choices = choices(infos, this.choices);
    put(this.nodes, ...this.choices.map(one => this.choice(one)));
    this.showMessage('');
  }

  /** Remove the nodes, which belong to another network. */
  clear(): void {
    this.choices = [];
    this.offer([]);
    this.count();
  }

  showMessage(text: string): void {
    put(this.message, line(text, 1000));
  }

  private count(): void {
    const narrowing = active(this.value);
    put(this.shown, Number(this.minimum.value).toFixed(1));
    put(this.summary, narrowing ? this.trans.__('Filters (%1)', narrowing) : this.trans.__('Filters'));
  }

  private choice(one: IChoice): HTMLElement {
    const title = line(one.title, 60) || String(one.node);
    return h(
      'label',
      { class: 'jp-knet-Choice' },
      h('input', {
        type: 'checkbox',
        value: one.node,
        checked: one.chosen,
        oninput: (event: Event) => (one.chosen = (event.target as HTMLInputElement).checked)
      }),
      one.away ? this.trans.__('%1 (not available)', title) : title
    );
  }

  private kind(kind: Kind, name: string): HTMLElement {
    const box = h('input', { type: 'checkbox', checked: true });
    this.kinds.set(kind, box);
    return h('label', { class: 'jp-knet-Choice' }, box, name);
  }
}
