/** Whom to ask and what to show: nodes, kinds of sources, minimum reliability, private mode. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put } from './dom';
import type { INodeInfo } from './records';
import { Kind, line } from './text';

export interface IFilters {
  nodes: number[];
  kinds: Set<Kind> | null;
  private: boolean;
  min_reliability: number;
}

export class Filters {
  readonly node: HTMLElement;
  private readonly only = h('input', { type: 'checkbox' });
  private readonly least = h('input', { type: 'range', min: 0, max: 0.9, step: 0.1, value: 0 });
  private readonly shown = h('output', {}, '0.0');
  private readonly nodes = h('div', { class: 'jp-knet-Choices' });
  private readonly kinds = new Map<Kind, HTMLInputElement>();

  constructor(trans: TranslationBundle) {
    const names: [Kind, string][] = [
      ['code', trans.__('documentation of code')],
      ['file', trans.__('files')],
      ['notebook', trans.__('notebooks')],
      ['web', trans.__('web pages')]
    ];
    this.least.addEventListener('input', () => put(this.shown, Number(this.least.value).toFixed(1)));
    this.node = h(
      'details',
      { class: 'jp-knet-Details' },
      h('summary', {}, trans.__('Filters')),
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
      h('fieldset', {}, h('legend', {}, trans.__('Ask only these nodes (none: the best)')), this.nodes)
    );
  }

  get value(): IFilters {
    const ticked = [...this.nodes.querySelectorAll<HTMLInputElement>('input:checked')];
    const kinds = [...this.kinds].filter(([, box]) => box.checked).map(([kind]) => kind);
    return {
      nodes: ticked.map(box => Number(box.value)),
      kinds: kinds.length === this.kinds.size ? null : new Set(kinds),
      private: this.only.checked,
      min_reliability: Number(this.least.value)
    };
  }

  /** The nodes there are now; what was ticked stays ticked. */
  offer(infos: INodeInfo[]): void {
    const chosen = new Set(this.value.nodes);
    put(
      this.nodes,
      ...infos
        .filter(info => !info.problem)
        .map(info =>
          h(
            'label',
            { class: 'jp-knet-Choice' },
            h('input', { type: 'checkbox', value: info.node, checked: chosen.has(info.node) }),
            line(info.title, 60) || String(info.node)
          )
        )
    );
  }

  private kind(kind: Kind, name: string): HTMLElement {
    const box = h('input', { type: 'checkbox', checked: true });
    this.kinds.set(kind, box);
    return h('label', { class: 'jp-knet-Choice' }, box, name);
  }
}
