/** The nodes, one card each: what it holds, how its reliability moved, what I think of it, and why I trust it. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, svg } from './dom';
import { reliabilityBar } from './marks';
import { band, sparkline } from './plot';
import type { ILandscape, IMoment, INodeInfo, IRated } from './records';
import { line, plusMinus } from './text';

const SPARK = { width: 90, height: 24 };

export function nodeList(nodes: INodeInfo[], landscape: ILandscape, trans: TranslationBundle): HTMLElement {
  const rated = new Map(landscape.rated.map(one => [one.node, one]));
  const place = new Map((landscape.maps[0]?.regions ?? []).map((region, at) => [region.node, at % 6]));
  return h(
    'ul',
    { class: 'jp-knet-Cards' },
    ...nodes.map(info =>
      card(info, landscape.history[String(info.node)] ?? [], rated.get(info.node), place.get(info.node), trans)
    )
  );
}

function card(
  info: INodeInfo,
  history: IMoment[],
  rated: IRated | undefined,
  color: number | undefined,
  trans: TranslationBundle
): HTMLElement {
  const status = info.problem ? trans.__('cannot be asked') : trans.__('published');
  return h(
    'li',
    { class: 'jp-knet-Card', 'data-node': info.node },
    h(
      'div',
      { class: 'jp-knet-Passage-head' },
      h('span', { class: `jp-knet-Number jp-mod-${color ?? 'none'}` }, String(info.node)),
      h('b', {}, line(info.title, 60) || trans.__('node %1', info.node)),
      h('span', { class: 'jp-knet-Dot', 'data-state': info.problem ? 'failed' : 'ready', 'aria-hidden': 'true' }),
      h('span', { class: 'jp-knet-Dim' }, status)
    ),
    info.problem ? h('p', { class: 'jp-knet-Said' }, line(info.problem)) : null,
    info.description ? h('p', {}, line(info.description)) : null,
    h(
      'p',
      { class: 'jp-knet-Facts' },
      trans._n('%1 document', '%1 documents', info.documents, info.documents),
      ' · ',
      trans._n('%1 passage', '%1 passages', info.chunks, info.chunks),
      ' · ',
      trans.__('version %1', info.sequence)
    ),
    h(
      'div',
      { class: 'jp-knet-Trust' },
      reliabilityBar(info.reliability, info.deviation),
      h(
        'span',
        { class: 'jp-knet-Figure' },
        info.ratings
          ? `${plusMinus(info.reliability, info.deviation)} (${trans._n('%1 rating', '%1 ratings', info.ratings, info.ratings)})`
          : trans.__('not rated yet')
      ),
      history.length ? spark(history, trans) : null
    ),
    rated?.count
      ? h(
          'p',
          { class: 'jp-knet-Mine' },
          trans.__('I rated it: %1 right, %2 wrong.', full(rated.positive), full(rated.negative))
        )
      : null,
    rated?.trust ? h('p', { class: 'jp-knet-Dim' }, line(rated.why)) : null
  );
}

function spark(history: IMoment[], trans: TranslationBundle): SVGElement {
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

function full(verdicts: number): string {
  return String(Math.round(verdicts * 100) / 100);
}
