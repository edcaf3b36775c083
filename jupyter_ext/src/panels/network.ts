/** The network panel: the map of topics, the nodes, the queued ratings, and the local nodes. */

import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { button, h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import { mapView } from '../views/map';
import { NodeList } from '../views/nodes';
import { LocalNodesView } from '../views/localnodes';
import { RatingsView } from '../views/ratings';
import type { HealthSnapshot, ConnectionState } from '../model/types';
import { ConnectionView } from './connection';
import { line } from '../model/text';
import { publications, summary } from '../model/health';

const UNREAD = 'unread'; // marks that the last read failed, so that the next snapshot triggers another

export class NetworkPanel extends Widget {
  private readonly body = h('div', { class: 'jp-knet-Body', hidden: true });
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });
  private readonly problem = h('p', { class: 'jp-knet-Message', role: 'status' }); // of the last snapshot
  private readonly count = h('span', { class: 'jp-knet-Count' });
  private readonly map = h('div');
  private readonly list: NodeList;
  private readonly refreshButton: HTMLButtonElement;
  private readonly connection: ConnectionView;
  private readonly ratings: RatingsView;
  private readonly localNodes: LocalNodesView;
  private watching: IDisposable | null = null;
  private lastState = '';
  private drawn: string | null = null; // the key of the publications that are shown
  private reading = false;
  private stale = false;

  constructor(
    private readonly knet: IKnet,
    contents: Contents.IManager
  ) {
    super();
    const { trans } = knet;
    this.addClass('jp-knet-Panel');
    this.connection = new ConnectionView(knet);
    this.ratings = new RatingsView(knet);
    this.localNodes = new LocalNodesView(knet, contents);
    this.list = new NodeList(trans);
    this.refreshButton = button(trans.__('Refresh'), () => void this.refresh(), { hidden: true });
    this.node.tabIndex = -1;
    put(
      this.body,
      h('h3', { class: 'jp-knet-Heading' }, trans.__('Topics')),
      this.map,
      h('div', { class: 'jp-knet-HeadingRow' }, h('h3', {}, trans.__('Nodes')), this.count),
      this.list.node
    );
    put(
      this.node,
      h(
        'div',
        { class: 'jp-knet-TitleRow' },
        h('h2', { class: 'jp-knet-Title' }, trans.__('Network')),
        this.refreshButton
      ),
      this.connection.node,
      this.problem,
      this.message,
      this.body,
      this.ratings.node,
      this.localNodes.node
    );
    knet.stateChanged.connect(this.onState, this);
    knet.healthChanged.connect(this.onHealth, this);
    knet.ratingsChanged.connect(this.onRatings, this);
  }

  dispose(): void {
    this.knet.stateChanged.disconnect(this.onState, this);
    this.knet.healthChanged.disconnect(this.onHealth, this);
    this.knet.ratingsChanged.disconnect(this.onRatings, this);
    this.watching?.dispose();
    this.connection.dispose();
    this.ratings.dispose();
    this.localNodes.dispose();
    super.dispose();
  }

  protected onAfterShow(_: Message): void {
    this.watching ??= this.knet.watch();
    void this.refresh();
  }

  protected onAfterHide(_: Message): void {
    this.watching?.dispose();
    this.watching = null;
  }

  protected onActivateRequest(_: Message): void {
    this.node.focus();
  }

  /** Read everything again, if the network is connected and the panel is visible. */
  async refresh(): Promise<void> {
    const { api, trans, ready } = this.knet;
    this.body.hidden = !ready || this.drawn === null;
    this.refreshButton.hidden = !ready;
    if (!this.isVisible || !ready) {
      return;
    }
    if (this.reading) {
      this.stale = true; // the running read may be out of date
      return;
    }
    this.reading = true;
    this.stale = false;
    if (this.drawn === null && !this.message.textContent) {
      put(this.message, trans.__('Reading the network from the chain …'));
    }
    try {
      const nodes = await api.nodes();
      const overview = await api.overview();
      put(
        this.map,
        mapView(overview, nodes, node => this.list.open(node), trans)
      );
      this.list.show(nodes, overview, this.knet.health);
      this.drawn = publications(nodes);
      this.body.hidden = false;
      this.drawCount();
      put(this.message);
    } catch (error) {
      this.drawn = this.drawn === null ? null : UNREAD;
      put(this.message, line((error as Error).message, 1000));
    } finally {
      this.reading = false;
    }
    if (this.stale) {
      await this.refresh();
      return;
    }
    await this.ratings.refresh();
  }

  private drawCount(): void {
    const { trans, health } = this.knet;
    const { total, answering } = summary(health);
    put(this.count, total ? trans.__('%1 of %2 answer', answering, total) : '');
  }

  private onState(_: IKnet, state: ConnectionState | null): void {
    const now = `${state?.profile} ${state?.state}`;
    if (now !== this.lastState) {
      this.lastState = now;
      this.drawn = null;
      put(this.message);
      put(this.problem);
      void this.refresh();
    }
  }

  /** Read everything again after a publication; otherwise update only the health of the nodes. */
  private onHealth(_: IKnet, health: HealthSnapshot | null): void {
    if (!this.isVisible || !health || health.state.state !== 'ready') {
      return;
    }
    this.list.update(health);
    this.drawCount();
    const problem = line(health.problem, 1000);
    if (problem !== this.problem.textContent) {
      put(this.problem, problem);
    }
    if (!health.problem && !this.reading && publications(health.nodes) !== this.drawn) {
      void this.refresh();
    }
  }

  private onRatings(): void {
    void this.refresh();
  }
}
