/** The network panel: its map, its nodes, ratings that wait, and nodes of my own. */

import type { Contents } from '@jupyterlab/services';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { button, h, put } from './dom';
import type { IKnet } from './knet';
import { mapView } from './mapview';
import { nodeList } from './nodelist';
import { OwnView } from './ownview';
import { RatingsView } from './ratingsview';
import type { IState } from './records';
import { StatePanel } from './statepanel';
import { line } from './text';

export class NetworkPanel extends Widget {
  private readonly body = h('div', { class: 'jp-knet-Body' });
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });
  private readonly state: StatePanel;
  private readonly ratings: RatingsView;
  private readonly own: OwnView;
  private was = '';

  constructor(
    private readonly knet: IKnet,
    contents: Contents.IManager
  ) {
    super();
    const { trans } = knet;
    this.addClass('jp-knet-Panel');
    this.state = new StatePanel(knet);
    this.ratings = new RatingsView(knet);
    this.own = new OwnView(knet, contents, () => void this.refresh());
    this.node.tabIndex = -1;
    put(
      this.node,
      h('h2', { class: 'jp-knet-Title' }, trans.__('Network')),
      this.state.node,
      h(
        'div',
        { class: 'jp-knet-Actions' },
        button(trans.__('Refresh'), () => void this.refresh())
      ),
      this.said,
      this.body,
      this.ratings.node,
      this.own.node
    );
    knet.stateChanged.connect(this.onState, this);
    knet.ratingsChanged.connect(this.onRatings, this);
  }

  dispose(): void {
    this.knet.stateChanged.disconnect(this.onState, this);
    this.knet.ratingsChanged.disconnect(this.onRatings, this);
    this.state.dispose();
    this.ratings.dispose();
    this.own.dispose();
    super.dispose();
  }

  protected onAfterShow(_: Message): void {
    void this.refresh();
  }

  protected onActivateRequest(_: Message): void {
    this.node.focus();
  }

  /** Read everything anew, if the network is there and somebody looks. */
  async refresh(): Promise<void> {
    const { api, trans, state } = this.knet;
    if (!this.isVisible || state?.state !== 'ready') {
      return;
    }
    put(this.said, trans.__('Reading the network from the chain …'));
    try {
      const nodes = await api.nodes();
      const landscape = await api.landscape();
      put(
        this.body,
        h('h3', { class: 'jp-knet-Heading' }, trans.__('Topics')),
        mapView(landscape, nodes, trans),
        h('h3', { class: 'jp-knet-Heading' }, trans.__('Nodes')),
        nodeList(nodes, landscape, trans)
      );
      put(this.said);
    } catch (error) {
      put(this.said, line((error as Error).message, 1000));
    }
    await Promise.all([this.ratings.refresh(), this.own.refresh()]);
  }

  private onState(_: IKnet, state: IState | null): void {
    const now = state?.state ?? '';
    if (now !== this.was) {
      this.was = now;
      void this.refresh();
    }
  }

  private onRatings(): void {
    void this.refresh();
  }
}
