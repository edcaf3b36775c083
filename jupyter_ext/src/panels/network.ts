/** The network panel: its map, its nodes, ratings that wait, and nodes of my own. */

import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { button, h, put } from '../views/dom';
import type { IKnet } from '../model/model';
import { mapView } from '../views/map';
import { NodeList } from '../views/nodes';
import { OwnView } from '../views/localnodes';
import { RatingsView } from '../views/ratings';
import type { IPulse, IState } from '../model/types';
import { StatePanel } from './connection';
import { line } from '../model/text';
import { publications, vitals } from '../model/health';

const UNREAD = 'unread'; // no publications: what is shown could not be read again, and the next look tries

export class NetworkPanel extends Widget {
  private readonly body = h('div', { class: 'jp-knet-Body', hidden: true });
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });
  private readonly ailing = h('p', { class: 'jp-knet-Said', role: 'status' }); // the network, as it was looked at last
  private readonly count = h('span', { class: 'jp-knet-Count' });
  private readonly map = h('div');
  private readonly list: NodeList;
  private readonly again: HTMLButtonElement;
  private readonly state: StatePanel;
  private readonly ratings: RatingsView;
  private readonly own: OwnView;
  private watching: IDisposable | null = null;
  private was = '';
  private drawn: string | null = null; // which publications are shown; null: none are
  private reading = false;
  private stale = false;

  constructor(
    private readonly knet: IKnet,
    contents: Contents.IManager
  ) {
    super();
    const { trans } = knet;
    this.addClass('jp-knet-Panel');
    this.state = new StatePanel(knet);
    this.ratings = new RatingsView(knet);
    this.own = new OwnView(knet, contents);
    this.list = new NodeList(trans);
    this.again = button(trans.__('Refresh'), () => void this.refresh(), { hidden: true });
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
      h('div', { class: 'jp-knet-TitleRow' }, h('h2', { class: 'jp-knet-Title' }, trans.__('Network')), this.again),
      this.state.node,
      this.ailing,
      this.said,
      this.body,
      this.ratings.node,
      this.own.node
    );
    knet.stateChanged.connect(this.onState, this);
    knet.pulseChanged.connect(this.onPulse, this);
    knet.ratingsChanged.connect(this.onRatings, this);
  }

  dispose(): void {
    this.knet.stateChanged.disconnect(this.onState, this);
    this.knet.pulseChanged.disconnect(this.onPulse, this);
    this.knet.ratingsChanged.disconnect(this.onRatings, this);
    this.watching?.dispose();
    this.state.dispose();
    this.ratings.dispose();
    this.own.dispose();
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

  /** Read everything anew, if the network is there and somebody looks. */
  async refresh(): Promise<void> {
    const { api, trans, ready } = this.knet;
    this.body.hidden = !ready || this.drawn === null;
    this.again.hidden = !ready;
    if (!this.isVisible || !ready) {
      return;
    }
    if (this.reading) {
      this.stale = true; // what is being read may be from before
      return;
    }
    this.reading = true;
    this.stale = false;
    if (this.drawn === null && !this.said.textContent) {
      put(this.said, trans.__('Reading the network from the chain …'));
    }
    try {
      const nodes = await api.nodes();
      const landscape = await api.landscape();
      put(
        this.map,
        mapView(landscape, nodes, node => this.list.open(node), trans)
      );
      this.list.show(nodes, landscape, this.knet.pulse);
      this.drawn = publications(nodes);
      this.body.hidden = false;
      this.drawCount();
      put(this.said);
    } catch (error) {
      this.drawn = this.drawn === null ? null : UNREAD;
      put(this.said, line((error as Error).message, 1000));
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
    const { trans, pulse } = this.knet;
    const { total, answering } = vitals(pulse);
    put(this.count, total ? trans.__('%1 of %2 answer', answering, total) : '');
  }

  private onState(_: IKnet, state: IState | null): void {
    const now = `${state?.profile} ${state?.state}`;
    if (now !== this.was) {
      this.was = now;
      this.drawn = null;
      put(this.said);
      put(this.ailing);
      void this.refresh();
    }
  }

  /** Nodes that came, went or published are drawn anew; of the others only how they do. */
  private onPulse(_: IKnet, pulse: IPulse | null): void {
    if (!this.isVisible || !pulse || pulse.state.state !== 'ready') {
      return;
    }
    this.list.beat(pulse);
    this.drawCount();
    const ailing = line(pulse.problem, 1000);
    if (ailing !== this.ailing.textContent) {
      put(this.ailing, ailing);
    }
    if (!pulse.problem && !this.reading && publications(pulse.nodes) !== this.drawn) {
      void this.refresh();
    }
  }

  private onRatings(): void {
    void this.refresh();
  }
}
