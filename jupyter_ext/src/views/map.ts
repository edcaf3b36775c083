/** The map of the nodes by their topics. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { h, svg } from './dom';
import { separate, radius, scaled } from '../model/geometry';
import type { Overview, NodeInfo } from '../model/types';
import { clip, line } from '../model/text';

const SIZE = { width: 300, height: 220, margin: 26 };
const COLORS = 6; // classes in the style sheet; further nodes share them and differ by their numbers
const MAX_LABELS = 24; // nodes with numbers; more would cover the map
const MAX_NAMES = 12; // nodes in the accessible name; the list below the map names them all

/** Draw the map; a click on a node calls `open`, and the list of nodes offers the same by keyboard. */
export function mapView(
  overview: Overview,
  nodes: NodeInfo[],
  open: (node: number) => void,
  trans: TranslationBundle
): HTMLElement {
  const [map, ...others] = overview.maps;
  if (!map) {
    return h('p', { class: 'jp-knet-Empty' }, trans.__('No node has published a routing card yet.'));
  }
  const titles = new Map(nodes.map(info => [info.node, line(info.title, 60)]));
  const title = (node: number) => `${node} ${titles.get(node) ?? ''}`;
  const most = Math.max(...map.regions.flatMap(region => region.topics.map(topic => topic.weight)), 1);
  const x = (value: number) => scaled(value, SIZE.width, SIZE.margin);
  const y = (value: number) => scaled(-value, SIZE.height, SIZE.margin);
  const names = map.regions.slice(0, MAX_NAMES).map(region => title(region.node));
  const more = map.regions.length - names.length;
  const few = map.regions.length <= MAX_LABELS;
  const size = few ? 9 : 4;
  const labels = separate(
    map.regions.map(region => ({ x: x(region.x), y: y(region.y) })),
    few ? 2 * size + 1 : size,
    SIZE
  );
  return h(
    'figure',
    { class: 'jp-knet-Map' },
    svg(
      'svg',
      {
        role: 'img',
        viewBox: `0 0 ${SIZE.width} ${SIZE.height}`,
        'aria-label': trans.__(
          'Topics of the nodes in two dimensions: %1',
          names.join(', ') + (more > 0 ? `, ${trans.__('and %1 more', more)}` : '')
        )
      },
      ...map.regions.map((region, at) =>
        svg(
          'g',
          { class: `jp-knet-Region jp-mod-${at % COLORS}`, 'data-node': region.node },
          ...region.topics.map(topic =>
            svg('circle', { cx: x(topic.x), cy: y(topic.y), r: radius(topic.weight, most) * (few ? 1 : 0.6) })
          )
        )
      ),
      ...map.regions.map((region, at) =>
        svg(
          'g',
          {
            class: `jp-knet-Label jp-mod-${at % COLORS}`,
            transform: `translate(${labels[at].x} ${labels[at].y})`,
            onclick: () => open(region.node)
          },
          svg('title', {}, title(region.node)),
          svg('circle', { r: size }),
          few && svg('text', { 'text-anchor': 'middle', y: 4 }, clip(String(region.node), 4))
        )
      )
    ),
    h(
      'figcaption',
      { class: 'jp-knet-Dim' },
      trans.__(
        'Centroids of what each node holds, in the two directions that tell them separate best (%1 % of the variance).',
        Math.round(100 * map.explained)
      ),
      others.length
        ? ` ${trans._n('%1 node group uses another model.', '%1 node groups use other models.', others.length, others.length)}`
        : ''
    )
  );
}
