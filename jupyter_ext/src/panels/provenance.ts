/** The provenance panel: the origin of a passage of the selected answer, with its checks. */

import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { marks, quotation } from '../model/checks';
import { recorded } from '../model/custody';
import { contextView, custodyDrawing, detailsView } from '../views/custody';
import { button, h, put } from '../views/dom';
import { save } from '../views/download';
import type { IKnet, ISelection } from '../model/model';
import { RatingsView } from '../views/ratings';
import type { Answer, Custody, VerificationReport } from '../model/types';
import { reportView } from '../views/report';
import { ConnectionView } from './connection';
import { line } from '../model/text';

export class ProvenancePanel extends Widget {
  private readonly chooser = h('select', { class: 'jp-knet-Select' });
  private readonly body = h('div', { class: 'jp-knet-Body' });
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });
  private readonly report = h('div');
  private readonly question = h('p', { class: 'jp-knet-Question' });
  private readonly tools: HTMLElement;
  private readonly connection: ConnectionView;
  private readonly ratings: RatingsView;
  private online = false; // true if the shown custody was read from the network
  private listed: Answer | undefined; // the answer whose sources are in the chooser
  private checked: VerificationReport | null = null; // the shown report
  private shown = 0; // counts the drawings, so that a late one does not replace a newer one

  constructor(private readonly knet: IKnet) {
    super();
    const { trans } = knet;
    this.addClass('jp-knet-Panel');
    this.connection = new ConnectionView(knet);
    this.ratings = new RatingsView(knet);
    this.chooser.setAttribute('aria-label', trans.__('Source'));
    this.chooser.addEventListener('change', () => this.choose(Number(this.chooser.value)));
    this.tools = h(
      'div',
      { class: 'jp-knet-Actions', role: 'group', 'aria-label': trans.__('This answer') },
      button(trans.__('Re-verify'), () => void this.verify()),
      button('+1', () => void this.rate(1), { 'aria-label': trans.__('Rate this source as right') }),
      button('−1', () => void this.rate(-1), { 'aria-label': trans.__('Rate this source as wrong') }),
      button('PROV-O', () => void this.export('prov'), { 'aria-label': trans.__('Export as PROV-O JSON-LD') }),
      button('RO-Crate', () => void this.export('ro-crate'), { 'aria-label': trans.__('Export as RO-Crate') }),
      button('JSON', () => void this.export('json'), { 'aria-label': trans.__('Export the answer') })
    );
    put(
      this.node,
      h('h2', { class: 'jp-knet-Title' }, trans.__('Provenance')),
      this.connection.node,
      this.question,
      this.chooser,
      this.tools,
      this.message,
      this.report,
      this.body,
      this.ratings.node
    );
    knet.selectionChanged.connect(this.onSelection, this);
    knet.reportsChanged.connect(this.onReport, this);
    knet.stateChanged.connect(this.onState, this);
    this.onSelection(knet, knet.selected);
  }

  dispose(): void {
    this.knet.selectionChanged.disconnect(this.onSelection, this);
    this.knet.reportsChanged.disconnect(this.onReport, this);
    this.knet.stateChanged.disconnect(this.onState, this);
    this.connection.dispose();
    this.ratings.dispose();
    super.dispose();
  }

  protected onAfterShow(_: Message): void {
    void this.draw();
    if (this.knet.ready) {
      void this.ratings.refresh();
    }
  }

  protected onActivateRequest(_: Message): void {
    this.chooser.focus();
  }

  private onSelection(_: IKnet, selected: ISelection | null): void {
    const { trans } = this.knet;
    const none = !selected?.answer.passages.length;
    this.chooser.hidden = this.tools.hidden = none;
    put(this.message);
    this.checked = selected && this.knet.reportOn(selected.answer);
    put(this.report, this.checked && reportView(this.checked, trans));
    put(this.question, selected ? line(selected.answer.question) : '');
    if (selected?.answer !== this.listed) {
      this.listed = selected?.answer;
      put(
        this.chooser,
        ...(selected?.answer.passages ?? []).map((passage, at) =>
          h('option', { value: at + 1 }, `${at + 1}. ${line(passage.title || passage.uri, 80)}`)
        )
      );
    }
    this.chooser.value = String(selected?.passage ?? '');
    void this.draw();
  }

  private onReport(): void {
    const { selected } = this.knet;
    if (selected && this.knet.reportOn(selected.answer) !== this.checked) {
      this.onSelection(this.knet, selected);
    }
  }

  /** Read the custody from the network once it is connected. */
  private onState(): void {
    if (this.knet.ready !== this.online) {
      void this.draw();
    }
  }

  private choose(passage: number): void {
    this.knet.select({ ...this.knet.selected!, passage });
  }

  /** Draw the chain of custody; without a connection from the record alone, since a request would connect. */
  private async draw(): Promise<void> {
    const { selected, trans, api, ready } = this.knet;
    const number = ++this.shown;
    if (!selected?.answer.passages.length) {
      put(this.body, h('p', { class: 'jp-knet-Empty' }, trans.__('Ask something, or select a cell with an answer.')));
      return;
    }
    if (!this.isVisible) {
      return;
    }
    this.online = ready;
    const found = ready
      ? await api.custody(selected.answer, selected.passage).catch((error: Error) => error)
      : recorded(
          selected.answer,
          selected.passage,
          trans.__('Not connected: shown from the record of the answer only.')
        );
    if (number !== this.shown) {
      return;
    }
    if (found instanceof Error) {
      put(this.body, h('p', { class: 'jp-knet-Message' }, line(found.message, 1000)));
    } else {
      this.drawCustody(selected, found);
    }
  }

  private drawCustody({ answer, passage: number, fresh }: ISelection, found: Custody): void {
    const { trans } = this.knet;
    const passage = answer.passages[number - 1];
    const report = this.checked;
    const at = answer.sentences.findIndex(one => one.citations.some(span => span.passage === number - 1));
    put(
      this.body,
      custodyDrawing(
        passage,
        found,
        answer.sentences[at]?.text ?? '',
        quotation(at + 1, report, fresh),
        marks(answer, number, report, fresh),
        trans
      ),
      contextView(passage, found, trans),
      detailsView(passage, found, trans)
    );
  }

  private async verify(): Promise<void> {
    const { trans, selected } = this.knet;
    if (!selected) {
      return;
    }
    put(this.message, trans.__('Checking every claim …'));
    await this.knet.verify(selected.answer).catch((error: Error) => put(this.message, line(error.message, 1000)));
  }

  private async rate(value: number): Promise<void> {
    const { trans, selected } = this.knet;
    if (selected) {
      await this.knet.rate(selected.answer, value, selected.passage).then(
        () => put(this.message, trans.__('Your rating waits below.')),
        (error: Error) => put(this.message, line(error.message, 1000))
      );
    }
  }

  private async export(format: string): Promise<void> {
    const { api, selected, trans } = this.knet;
    if (selected) {
      await api.export(selected.answer, format).then(
        file => {
          save(file);
          put(this.message, trans.__('Saved as %1.', file.name));
        },
        (error: Error) => put(this.message, line(error.message, 1000))
      );
    }
  }
}
