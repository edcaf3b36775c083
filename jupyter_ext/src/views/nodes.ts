/** The list of nodes, one card each: health, contents, reliability over time, and trust. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, put, svg } from './dom';
import { reliabilityBar } from './checkmarks';
import { band, sparkline } from '../model/geometry';
import type { Overview, Point, NodeHealth, NodeInfo, HealthSnapshot, NodeFeedback } from '../model/types';
import { ago, line, moment, plusMinus } from '../model/text';

const SPARK = { width: 90, height: 24 };
const MAX_PLAIN = 12; // nodes; a longer list has a search field and a choice of order

type Order = 'number' | 'reliability' | 'trust' | 'size';

interface ICard {
  info: NodeInfo;
  rated: NodeFeedback | undefined;
  node: HTMLElement;
  live: HTMLElement;
}

/** The list of cards; `update` changes their health in place. */
export class NodeList {
  readonly node = h('div');
  private readonly list = h('ul', { class: 'jp-knet-Cards' });
  private readonly message = h('p', { class: 'jp-knet-Dim', role: 'status' });
  private readonly tools: HTMLElement;
  private readonly words = h('input', { class: 'jp-knet-Input', type: 'search' });
  private readonly order = h('select', { class: 'jp-knet-Select' });
  private cards: ICard[] = [];

  constructor(private readonly trans: TranslationBundle) {
    const orders: [Order, string][] = [
      ['number', trans.__('by number')],
      ['reliability', trans.__('most reliable first')],
      ['trust', trans.__('most trusted by me first')],
      ['size', trans.__('largest first')]
    ];
    this.words.setAttribute('aria-label', trans.__('Find a node'));
    this.words.setAttribute('placeholder', trans.__('Find a node …'));
    this.order.setAttribute('aria-label', trans.__('Order of the nodes'));
    put(this.order, ...orders.map(([value, name]) => h('option', { value }, name)));
    this.words.addEventListener('input', () => this.arrange());
    this.order.addEventListener('change', () => this.arrange());
    this.tools = h('div', { class: 'jp-knet-Finder', hidden: true }, this.words, this.order);
    put(this.node, this.tools, this.message, this.list);
  }

  /** Draw all cards again. */
  show(nodes: NodeInfo[], overview: Overview, health: HealthSnapshot | null): void {
    const { trans } = this;
    const rated = new Map(overview.rated.map(one => [one.node, one]));
    const place = new Map((overview.maps[0]?.regions ?? []).map((region, at) => [region.node, at % 6]));
    const mine = new Set((health?.local_nodes ?? []).map(node => node.endpoint));
    this.cards = nodes.map(info => {
      const live = h('div', { class: 'jp-knet-Live' });
      const history = overview.history[String(info.node)] ?? [];
      const own = rated.get(info.node);
      const isMine = mine.has(info.endpoint);
      return { info, rated: own, live, node: card(info, history, own, place.get(info.node), live, isMine, trans) };
    });
    this.tools.hidden = nodes.length <= MAX_PLAIN;
    this.update(health);
    this.arrange();
  }

  /** Show the health of the nodes in place. */
  update(snapshot: HealthSnapshot | null): void {
    const health = new Map((snapshot?.nodes ?? []).map(one => [one.node, one]));
    this.cards.forEach(({ info, live, node }) => {
      const found = health.get(info.node);
      put(live, ...liveView(info, found, this.trans));
      node.dataset.state = found?.state ?? '';
    });
  }

  /** Scroll to a node's card and give it the focus. */
  open(number: number): void {
    const found = this.cards.find(({ info }) => info.node === number);
    if (found && !found.node.isConnected) {
      this.words.value = '';
      this.arrange();
    }
    found?.node.focus();
    found?.node.scrollIntoView({ block: 'nearest' });
  }

  private arrange(): void {
    const { trans } = this;
    const wanted = this.words.value.trim().toLowerCase();
    const keys: { [order in Order]: (one: ICard) => number } = {
      number: one => one.info.node,
      reliability: one => -one.info.reliability,
      trust: one => -(one.rated?.trust ?? 0),
      size: one => -one.info.chunks
    };
    const key = keys[this.order.value as Order] ?? keys.number;
    const shown = this.cards
      .filter(({ info }) => `${info.node} ${info.title} ${info.description}`.toLowerCase().includes(wanted))
      .sort((a, b) => key(a) - key(b) || a.info.node - b.info.node);
    put(this.list, ...shown.map(one => one.node));
    put(this.message, wanted ? trans.__('%1 of %2 nodes', shown.length, this.cards.length) : '');
    if (!this.cards.length) {
      put(this.message, trans.__('No node has published on this network yet. Start one below to be the first.'));
    }
  }
}

/** Show the health of a node: its state, its searches, its version, and a problem with its remedy. */
function liveView(info: NodeInfo, health: NodeHealth | undefined, trans: TranslationBundle): HTMLElement[] {
  const problem = health?.problem || info.problem;
  const states = {
    up: trans.__('answers'),
    behind: trans.__('catching up'),
    down: trans.__('does not answer'),
    unusable: trans.__('cannot be asked')
  };
  const dots = { up: 'ready', behind: 'partly', down: 'failed', unusable: 'failed' };
  const state = health?.state ?? (info.problem ? 'unusable' : undefined);
  const facts = health && [
    health.searches === null
      ? ''
      : trans._n('%1 search served', '%1 searches served', health.searches, health.searches),
    health.published ? trans.__('version %1, %2', health.sequence, ago(health.published)) : ''
  ];
  return [
    h(
      'p',
      { class: 'jp-knet-LiveState', title: health?.published ? moment(health.published) : undefined },
      h('span', { class: 'jp-knet-Dot', 'data-state': state ? dots[state] : 'off', 'aria-hidden': 'true' }),
      h('span', {}, state ? states[state] : trans.__('checking …')),
      ...(facts ?? []).filter(Boolean).map(fact => h('span', { class: 'jp-knet-Dim' }, fact))
    ),
    ...(problem ? [h('p', { class: 'jp-knet-Problem' }, line(problem))] : []),
    ...(health?.advice ? [h('p', { class: 'jp-knet-Dim' }, line(health.advice))] : [])
  ];
}

function card(
  info: NodeInfo,
  history: Point[],
  rated: NodeFeedback | undefined,
  color: number | undefined,
  live: HTMLElement,
  mine: boolean,
  trans: TranslationBundle
): HTMLElement {
  const title = line(info.title, 60) || trans.__('node %1', info.node);
  return h(
    'li',
    { class: 'jp-knet-Card', 'data-node': info.node, tabindex: -1, 'aria-label': title },
    h(
      'div',
      { class: 'jp-knet-Passage-head' },
      h('span', { class: `jp-knet-Number jp-mod-${color ?? 'none'}` }, String(info.node)),
      h('b', { class: 'jp-knet-Passage-title' }, title),
      mine ? h('span', { class: 'jp-knet-Tag' }, trans.__('mine')) : null
    ),
    info.description ? h('p', {}, line(info.description)) : null,
    live,
    h(
      'p',
      { class: 'jp-knet-Facts' },
      h('span', {}, trans._n('%1 document', '%1 documents', info.documents, info.documents)),
      h('span', {}, trans._n('%1 passage', '%1 passages', info.chunks, info.chunks))
    ),
    h(
      'div',
      { class: 'jp-knet-Trust' },
      reliabilityBar(info.reliability, info.deviation),
      history.length ? spark(history, trans) : null,
      h(
        'span',
        { class: 'jp-knet-Figure' },
        info.ratings
          ? `${plusMinus(info.reliability, info.deviation)} (${trans._n('%1 rating', '%1 ratings', info.ratings, info.ratings)})`
          : trans.__('not rated yet')
      )
    ),
    rated?.count
      ? h(
          'p',
          { class: 'jp-knet-Mine' },
          trans.__('I rated it: %1 right, %2 wrong.', rounded(rated.positive), rounded(rated.negative))
        )
      : null,
    rated?.trust ? h('p', { class: 'jp-knet-Dim' }, line(rated.why)) : null
  );
}

function spark(history: Point[], trans: TranslationBundle): SVGElement {
  const { width, height } = SPARK;
  const from = plusMinus(0.5, Math.sqrt(1 / 12));
  const last = history[history.length - 1];
  return svg(
    'svg',
    {
      class: 'jp-knet-Spark',
      role: 'img',
      viewBox: `-1 -1 ${width + 2} ${height + 2}`,
      'aria-label': trans.__(
        'Reliability over %1 batches, from %2 to %3',
        history.length,
        from,
        plusMinus(last.mean, last.deviation)
      )
    },
    svg('path', { class: 'jp-knet-Spark-band', d: band(history, width, height) }),
    svg('path', { class: 'jp-knet-Spark-line', d: sparkline(history, width, height) })
  );
}

function rounded(ratings: number): string {
  return String(Math.round(ratings * 100) / 100);
}
