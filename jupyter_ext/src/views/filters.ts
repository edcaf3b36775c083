/** Whom to ask and what to show: nodes, kinds of sources, minimum reliability, private mode. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put } from './dom';
import type { INodeInfo } from '../model/types';
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
  away: boolean; // chosen before, and not to be asked now
}

/** The nodes to choose from: all that can be asked, and what was chosen before even where it cannot. */
export function choices(infos: INodeInfo[], before: IChoice[]): IChoice[] {
  const chosen = before.filter(one => one.chosen);
  const usable = infos.filter(info => !info.problem);
  const away = chosen.filter(one => !usable.some(info => info.node === one.node));
  return [
    ...usable.map(({ node, title }) => ({ node, title, chosen: chosen.some(one => one.node === node), away: false })),
    ...away.map(one => ({ ...one, away: true }))
  ];
}

/** How many of the filters narrow anything. */
export function active(filters: IFilters): number {
  const { nodes, kinds, min_reliability } = filters;
  return [nodes.length, kinds, filters.private, min_reliability].filter(Boolean).length;
}

export class Filters {
  readonly node: HTMLDetailsElement;
  private readonly only = h('input', { type: 'checkbox' });
  private readonly least = h('input', { type: 'range', min: 0, max: 0.9, step: 0.1, value: 0 });
  private readonly shown = h('output');
  private readonly nodes = h('div', { class: 'jp-knet-Choices' });
  private readonly kinds = new Map<Kind, HTMLInputElement>();
  private readonly summary = h('summary');
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });
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
      h('label', { class: 'jp-knet-Field' }, h('span', {}, trans.__('Reliability at least')), this.least, this.shown),
      h(
        'label',
        { class: 'jp-knet-Choice', title: trans.__('Fetches published shards and searches them here') },
        this.only,
        trans.__('Private: no node learns the question')
      ),
      h(
        'fieldset',
        {},
        h('legend', {}, trans.__('Show sources that are')),
        h('div', { class: 'jp-knet-Choices' }, ...names.map(([kind, name]) => this.kind(kind, name)))
      ),
      h('fieldset', {}, h('legend', {}, trans.__('Ask only these nodes (none: the best)')), this.nodes, this.said)
    );
    this.node.addEventListener('input', () => this.count());
    this.count();
  }

  get value(): IFilters {
    const kinds = [...this.kinds].filter(([, box]) => box.checked).map(([kind]) => kind);
    return {
      nodes: this.choices.filter(one => one.chosen).map(one => one.node),
      kinds: kinds.length === this.kinds.size ? null : new Set(kinds),
      private: this.only.checked,
      min_reliability: Number(this.least.value)
    };
  }

  /** Whether there is no node to choose. */
  get empty(): boolean {
    return !this.choices.length;
  }

  /** The nodes there are now; what was ticked stays ticked. */
  offer(infos: INodeInfo[]): void {
    this.choices = choices(infos, this.choices);
    put(this.nodes, ...this.choices.map(one => this.choice(one)));
    this.say('');
  }

  /** Forget the nodes: they were those of another network. */
  clear(): void {
    this.choices = [];
    this.offer([]);
    this.count();
  }

  say(text: string): void {
    put(this.said, line(text, 1000));
  }

  private count(): void {
    const narrowing = active(this.value);
    put(this.shown, Number(this.least.value).toFixed(1));
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
      one.away ? this.trans.__('%1 (away)', title) : title
    );
  }

  private kind(kind: Kind, name: string): HTMLElement {
    const box = h('input', { type: 'checkbox', checked: true });
    this.kinds.set(kind, box);
    return h('label', { class: 'jp-knet-Choice' }, box, name);
  }
}
