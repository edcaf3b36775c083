/** The chain of custody as a drawing, and as text with all digits. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IMarks, Mark } from '../model/checks';
import { Child, h, source, svg } from './dom';
import { column } from '../model/geometry';
import type { Custody, Passage } from '../model/types';
import { clip, line, moment, prose, short } from '../model/text';

const WIDTH = 240; // of a side panel, so that letters keep their size
const ROWS = [['sentence'], ['span'], ['document'], ['manifest'], ['node'], ['chain', 'receipt']];

interface ILink {
  name: string;
  value: string;
  mark: Mark;
}

/** Return the name, value and mark of each box. */
function links(
  passage: Passage,
  found: Custody,
  sentence: string,
  quoted: Mark,
  marks: IMarks,
  trans: TranslationBundle
): { [id: string]: ILink } {
  const { context, published, signed } = found;
  const { node, manifest } = passage.provenance;
  const missing = () => (found.registry ? trans.__('none') : trans.__('not looked up'));
  return {
    sentence: { name: trans.__('Sentence'), value: sentence || trans.__('(not quoted in the answer)'), mark: quoted },
    span: {
      name: trans.__('Span'),
      value: `${passage.start}–${passage.end}`,
      mark: unless(context.problem, marks.inclusion)
    },
    document: { name: trans.__('Document'), value: passage.title || passage.uri, mark: marks.inclusion },
    manifest: {
      name: trans.__('Manifest'),
      value: `${published.sequence ? `#${published.sequence} ` : ''}${short(manifest)}`,
      mark: marks.freshness
    },
    node: { name: trans.__('Node'), value: `${node} ${found.title}`, mark: 'none' },
    chain: {
      name: trans.__('Transaction'),
      value: short(published.transaction, 6, 4) || missing(),
      mark: unless(published.problem, marks.freshness)
    },
    receipt: {
      name: trans.__('Receipt'),
      value: short(signed.signer, 6, 4) || missing(),
      mark: marks.signature
    }
  };
}

/** Return the mark of a step: unknown with a problem, unless the step is known to fail. */
function unless(problem: string, mark: Mark): Mark {
  return problem && mark !== 'fails' ? 'unknown' : mark;
}

export function custodyDrawing(
  passage: Passage,
  found: Custody,
  sentence: string,
  quoted: Mark,
  marks: IMarks,
  trans: TranslationBundle
): SVGElement {
  const drawing = column(ROWS, WIDTH);
  const steps = links(passage, found, sentence, quoted, marks, trans);
  const title = trans.__('Chain of custody');
  return svg(
    'svg',
    {
      class: 'jp-knet-Custody',
      role: 'img',
      'aria-label': `${title}: ${ROWS.flat()
        .map(id => `${steps[id].name} ${line(steps[id].value, 60)}`)
        .join(', ')}`,
      viewBox: `-1 -1 ${drawing.width + 2} ${drawing.height + 2}`
    },
    svg(
      'defs',
      {},
      svg(
        'marker',
        { id: 'jp-knet-arrow', viewBox: '0 0 8 8', refX: 4, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' },
        svg('path', { d: 'M0 0 L8 4 L0 8 Z', class: 'jp-knet-ArrowHead' })
      )
    ),
    ...drawing.arrows.map(arrow =>
      svg('path', { d: arrow.path, class: 'jp-knet-Arrow', 'marker-end': 'url(#jp-knet-arrow)' })
    ),
    ...drawing.boxes.map(box => {
      const { name, value, mark } = steps[box.id];
      const letters = Math.floor((box.width - 14) / 7.2);
      return svg(
        'g',
        { transform: `translate(${box.x} ${box.y})`, 'data-mark': mark, 'data-link': box.id },
        svg('rect', { width: box.width, height: box.height, rx: 3 }),
        svg('text', { x: 8, y: 17, class: 'jp-knet-Box-name' }, name),
        svg('text', { x: 8, y: 35, class: 'jp-knet-Box-value' }, clip(line(value, 100), letters))
      );
    })
  );
}

/** Show the span in its context. */
export function contextView(passage: Passage, found: Custody, trans: TranslationBundle): HTMLElement {
  const { before, after, problem } = found.context;
  return h(
    'section',
    {},
    h('h3', { class: 'jp-knet-Heading' }, trans.__('In its document')),
    h('p', { class: 'jp-knet-Passage-title' }, source(passage.title, passage.uri)),
    problem ? h('p', { class: 'jp-knet-Message' }, line(problem)) : null,
    h(
      'blockquote',
      { class: 'jp-knet-Quote jp-knet-Context', tabindex: 0 },
      before && `…${prose(before)}`,
      h('mark', {}, prose(passage.text)),
      after && `${prose(after)}…`
    )
  );
}

/** Show all values in full. */
export function detailsView(passage: Passage, found: Custody, trans: TranslationBundle): HTMLElement {
  const { published, signed } = found;
  const { node, document, manifest, shard, chunk, path } = passage.provenance;
  const row = (name: string, value: Child): Node[] => (value ? [h('dt', {}, name), h('dd', {}, value)] : []);
  return h(
    'details',
    { class: 'jp-knet-Details' },
    h('summary', {}, trans.__('All values in full')),
    h(
      'dl',
      { class: 'jp-knet-Names' },
      ...row(trans.__('Document'), line(document)),
      ...row(trans.__('Address'), line(passage.uri)),
      ...row(trans.__('Licence'), line(String(passage.licence ?? ''))),
      ...row(trans.__('Manifest'), line(manifest)),
      ...row(
        trans.__('Place'),
        trans.__('shard %1, chunk %2, proof of %3 hashes', Number(shard), Number(chunk), path?.length ?? 0)
      ),
      ...row(trans.__('Node'), `${node} ${line(found.title)}`),
      ...row(trans.__('Owner'), line(found.owner)),
      ...row(trans.__('Endpoint'), line(found.endpoint)),
      ...row(trans.__('Registry'), found.registry && trans.__('%1 on chain %2', line(found.registry), found.chain_id)),
      ...row(trans.__('Transaction'), line(published.transaction || published.problem)),
      ...row(
        trans.__('Published'),
        published.time > 0 && `${moment(published.time)}, ${trans.__('block %1', published.block)}`
      ),
      ...row(
        trans.__('Since then'),
        published.time > 0 &&
          (published.newest ? trans.__('nothing newer was published') : trans.__('the node published a newer manifest'))
      ),
      ...row(trans.__('Signed by'), line(signed.signer || signed.problem)),
      ...row(trans.__('Signed at'), signed.issued_at > 0 && moment(signed.issued_at)),
      ...row(trans.__('Results root'), line(signed.results)),
      ...row(trans.__('Signature'), line(signed.signature))
    )
  );
}
