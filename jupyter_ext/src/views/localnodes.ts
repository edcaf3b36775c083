/** The local nodes over folders of the workspace: start, sync, stop, and progress. */

import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import { button, h, put, renew } from './dom';
import type { IKnet } from '../model/model';
import type { LocalNode } from '../model/types';
import { line } from '../model/text';
import { percent } from '../model/health';

export class LocalNodesView implements IDisposable {
  readonly node: HTMLElement;
  isDisposed = false;
  private readonly list = h('ul', { class: 'jp-knet-Cards' });
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });
  private readonly name = h('input', { class: 'jp-knet-Input', type: 'text', required: true, maxlength: 60 });
  private readonly folder = h('input', {
    class: 'jp-knet-Input',
    type: 'text',
    required: true,
    list: 'jp-knet-folders'
  });
  private readonly folders = h('datalist', { id: 'jp-knet-folders' });
  private readonly endpoint = h('input', { class: 'jp-knet-Input', type: 'url' });
  private drawn = '';

  constructor(
    private readonly knet: IKnet,
    private readonly contents: Contents.IManager
  ) {
    const { trans } = knet;
    const field = (label: string, input: HTMLElement) =>
      h('label', { class: 'jp-knet-Field' }, h('span', {}, label), input);
    this.node = h(
      'section',
      { class: 'jp-knet-LocalNodes', tabindex: -1, 'aria-label': trans.__('My nodes') },
      h('h3', { class: 'jp-knet-Heading' }, trans.__('My nodes')),
      this.list,
      h(
        'details',
        { class: 'jp-knet-Details', ontoggle: () => void this.offerFolders() },
        h('summary', {}, trans.__('Share a folder as a new node')),
        h(
          'form',
          { class: 'jp-knet-Form', onsubmit: (event: Event) => this.onSubmit(event) },
          field(trans.__('Name of a new node'), this.name),
          field(trans.__('Folder of this workspace'), this.folder),
          this.folders,
          field(trans.__('Its URL for others (on a public network)'), this.endpoint),
          h(
            'p',
            { class: 'jp-knet-Dim' },
            trans.__('Everything in the folder becomes readable for the whole network.')
          ),
          h('button', { type: 'submit', class: 'jp-knet-Button' }, trans.__('Start a node'))
        )
      ),
      this.message
    );
    knet.healthChanged.connect(this.draw, this);
    this.draw();
  }

  dispose(): void {
    this.isDisposed = true;
    this.knet.healthChanged.disconnect(this.draw, this);
  }

  private async offerFolders(): Promise<void> {
    const root = await this.contents.get('', { content: true }).catch(() => null);
    const items: Contents.IModel[] = Array.isArray(root?.content) ? root!.content : [];
    const folders = items.filter(item => item.type === 'directory');
    put(this.folders, ...folders.map(item => h('option', { value: item.path })));
  }

  /** Draw the nodes if they have changed; a focused button keeps its focus. */
  private draw(): void {
    const nodes = this.knet.health?.local_nodes ?? [];
    const now = JSON.stringify([this.knet.profile, nodes]);
    if (now === this.drawn) {
      return;
    }
    this.drawn = now;
    renew(this.list, this.node, ...nodes.map(node => this.card(node)));
  }

  private card(node: LocalNode): HTMLElement {
    const { trans } = this.knet;
    const words = {
      off: trans.__('not running'),
      starting: trans.__('starting'),
      serving: trans.__('serving'),
      syncing: trans.__('syncing'),
      stopping: trans.__('stopping'),
      failed: trans.__('failed'),
      elsewhere: trans.__('serving, started elsewhere')
    };
    const name = line(node.name, 60);
    const dots: { [state: string]: string } = { serving: 'ready', elsewhere: 'ready', failed: 'failed', off: 'off' };
    const act = (label: string, call: () => Promise<unknown>) =>
      button(label, () => void this.act(call()), { 'aria-label': `${label}: ${name}` });
    const done = percent(node);
    const phase =
      done === null ? line(node.phase, 40) : `${line(node.phase, 40)} ${node.done}/${node.total} (${done} %)`;
    return h(
      'li',
      { class: 'jp-knet-Card', 'data-local-node': name, 'data-state': node.state },
      h(
        'div',
        { class: 'jp-knet-Passage-head' },
        h('span', { class: 'jp-knet-Dot', 'data-state': dots[node.state] ?? 'starting', 'aria-hidden': 'true' }),
        h('b', {}, name),
        h('span', { class: 'jp-knet-Dim' }, `${words[node.state]} ${phase}`)
      ),
      node.profile && node.profile !== this.knet.profile
        ? h('p', { class: 'jp-knet-Dim' }, trans.__('of the network %1', line(node.profile, 40)))
        : null,
      h('p', { class: 'jp-knet-Passage-uri' }, node.sources.map(one => line(one, 120)).join(', ')),
      done === null ? null : h('progress', { max: 100, value: done, 'aria-label': name }),
      node.account
        ? h('p', { class: node.failures ? 'jp-knet-Problem' : 'jp-knet-Dim' }, line(node.account, 1000))
        : null,
      node.detail ? h('p', { class: 'jp-knet-Problem' }, line(node.detail)) : null,
      node.state === 'failed'
        ? h('p', { class: 'jp-knet-Dim' }, trans.__('Fix the reported error and restart; the index is kept.'))
        : null,
      h('div', { class: 'jp-knet-Actions' }, ...this.actions(node, act))
    );
  }

  private actions(
    node: LocalNode,
    act: (label: string, call: () => Promise<unknown>) => HTMLElement
  ): (HTMLElement | null)[] {
    const { trans, api } = this.knet;
    if (node.state === 'elsewhere' || node.state === 'stopping') {
      return []; // its starter stops it, or it is stopping
    }
    if (node.state === 'off' || node.state === 'failed') {
      return [act(trans.__('Start'), () => api.startNode(node.name, '', ''))];
    }
    return [
      act(trans.__('Stop'), () => api.stopNode(node.name)),
      node.state === 'serving' ? act(trans.__('Sync'), () => api.syncNode(node.name)) : null
    ];
  }

  private async act(done: Promise<unknown>): Promise<void> {
    await done.then(
      () => put(this.message),
      (error: Error) => put(this.message, line(error.message, 1000))
    );
    await this.knet.refreshHealth();
  }

  private onSubmit(event: Event): void {
    event.preventDefault();
    const { name, folder, endpoint } = this;
    void this.act(this.knet.api.startNode(name.value.trim(), folder.value.trim(), endpoint.value.trim()));
  }
}
