/** Nodes of my own over folders of the workspace: start, sync, stop, and how far each is. */

import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import { button, h, put } from './dom';
import type { IKnet } from './knet';
import type { IOwnNode } from './records';
import { line } from './text';

const POLL_MILLISECONDS = 1000; // while one of them is busy

export class OwnView implements IDisposable {
  readonly node: HTMLElement;
  isDisposed = false;
  private readonly list = h('ul', { class: 'jp-knet-Cards' });
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });
  private readonly name = h('input', { class: 'jp-knet-Input', type: 'text', required: true, maxlength: 60 });
  private readonly folder = h('input', {
    class: 'jp-knet-Input',
    type: 'text',
    required: true,
    list: 'jp-knet-folders'
  });
  private readonly folders = h('datalist', { id: 'jp-knet-folders' });
  private readonly endpoint = h('input', { class: 'jp-knet-Input', type: 'url' });
  private timer = 0;

  constructor(
    private readonly knet: IKnet,
    private readonly contents: Contents.IManager,
    private readonly onServing: () => void
  ) {
    const { trans } = knet;
    const field = (label: string, input: HTMLElement) =>
      h('label', { class: 'jp-knet-Field' }, h('span', {}, label), input);
    this.node = h(
      'section',
      { class: 'jp-knet-Own' },
      h('h3', { class: 'jp-knet-Heading' }, trans.__('My nodes')),
      this.list,
      h(
        'form',
        { class: 'jp-knet-Form', onsubmit: (event: Event) => this.onSubmit(event) },
        field(trans.__('Name of a new node'), this.name),
        field(trans.__('Folder of this workspace'), this.folder),
        this.folders,
        field(trans.__('Its URL for others (on a public network)'), this.endpoint),
        h('p', { class: 'jp-knet-Dim' }, trans.__('Everything in the folder becomes readable for the whole network.')),
        h('button', { type: 'submit', class: 'jp-knet-Button' }, trans.__('Start a node'))
      ),
      this.said
    );
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.timer);
  }

  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    const [nodes, folders] = await Promise.all([this.knet.api.ownNodes().catch(() => []), this.subfolders()]);
    if (this.isDisposed) {
      return;
    }
    put(this.folders, ...folders.map(path => h('option', { value: path })));
    this.draw(nodes);
  }

  private async subfolders(): Promise<string[]> {
    const root = await this.contents.get('', { content: true }).catch(() => null);
    const items: Contents.IModel[] = Array.isArray(root?.content) ? root!.content : [];
    return items.filter(item => item.type === 'directory').map(item => item.path);
  }

  private draw(nodes: IOwnNode[]): void {
    const busy = nodes.some(node => node.state === 'starting' || node.state === 'syncing');
    put(this.list, ...nodes.map(node => this.card(node)));
    if (busy) {
      this.timer = window.setTimeout(() => void this.watch(), POLL_MILLISECONDS);
    }
  }

  private async watch(): Promise<void> {
    const nodes = await this.knet.api.ownNodes().catch(() => []);
    if (this.isDisposed) {
      return;
    }
    this.draw(nodes);
    if (!nodes.some(node => node.state === 'starting' || node.state === 'syncing')) {
      this.onServing();
    }
  }

  private card(node: IOwnNode): HTMLElement {
    const { trans, api } = this.knet;
    const words = {
      off: trans.__('not running'),
      starting: trans.__('starting'),
      serving: trans.__('serving'),
      syncing: trans.__('syncing'),
      failed: trans.__('failed')
    };
    const name = line(node.name, 60);
    const dots: { [state: string]: string } = { serving: 'ready', failed: 'failed', off: 'off' };
    const act = (label: string, call: () => Promise<unknown>) =>
      button(label, () => void this.act(call()), { 'aria-label': `${label}: ${name}` });
    const progress = node.total ? h('progress', { max: node.total, value: node.done, 'aria-label': name }) : null;
    return h(
      'li',
      { class: 'jp-knet-Card', 'data-own': name, 'data-state': node.state },
      h(
        'div',
        { class: 'jp-knet-Passage-head' },
        h('span', { class: 'jp-knet-Dot', 'data-state': dots[node.state] ?? 'starting', 'aria-hidden': 'true' }),
        h('b', {}, name),
        h('span', { class: 'jp-knet-Dim' }, `${words[node.state]} ${line(node.phase, 40)}`)
      ),
      h('p', { class: 'jp-knet-Passage-uri' }, node.sources.map(one => line(one, 120)).join(', ')),
      progress,
      node.detail ? h('p', { class: 'jp-knet-Said' }, line(node.detail)) : null,
      h(
        'div',
        { class: 'jp-knet-Actions' },
        node.state === 'off' || node.state === 'failed'
          ? act(trans.__('Start'), () => api.startNode(node.name, '', ''))
          : act(trans.__('Stop'), () => api.stopNode(node.name)),
        node.state === 'serving' ? act(trans.__('Sync'), () => api.syncNode(node.name)) : null
      )
    );
  }

  private async act(done: Promise<unknown>): Promise<void> {
    await done.then(
      () => put(this.said),
      (error: Error) => put(this.said, line(error.message, 1000))
    );
    await this.refresh();
  }

  private onSubmit(event: Event): void {
    event.preventDefault();
    const { name, folder, endpoint } = this;
    void this.act(this.knet.api.startNode(name.value.trim(), folder.value.trim(), endpoint.value.trim()));
  }
}
