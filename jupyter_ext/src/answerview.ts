/** An answer with its citations, sources and nodes: the same in the ask panel and in a notebook's output. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { marks, tally } from './checks';
import { button, h, put } from './dom';
import { passageView } from './passageview';
import type { IAnswer, IReport } from './records';
import { Kind, citation, citations, kindOf, line } from './text';

export interface IAnswerActions {
  trace: (passage: number) => void;
  verify: () => Promise<IReport>;
  insert?: () => void;
  rate?: (value: number, passage: number | null) => Promise<void>;
}

export interface IView {
  answer: IAnswer;
  fresh: boolean;
  kinds: Set<Kind> | null;
  batch: number; // sources shown at first; the rest on demand, so that two hundred do not make a panel slow
  trans: TranslationBundle;
}

const MORE = 20; // sources added at a time

export class AnswerView {
  readonly node: HTMLElement;
  private readonly list = h('ol', { class: 'jp-knet-Passages' });
  private readonly said = h('p', { class: 'jp-knet-Said', role: 'status' });
  private report: IReport | null = null;
  private shown: number;

  constructor(
    private readonly view: IView,
    private readonly actions: IAnswerActions
  ) {
    const { answer, trans } = view;
    this.shown = view.batch;
    this.node = h(
      'article',
      { class: 'jp-knet-Answer', 'aria-label': trans.__('Answer') },
      h('p', { class: 'jp-knet-Question' }, line(answer.question)),
      h('p', { class: 'jp-knet-Text' }, ...this.sentences()),
      answer.problem ? h('p', { class: 'jp-knet-Said' }, line(answer.problem)) : null,
      this.toolbar(),
      this.said,
      h('h3', { class: 'jp-knet-Heading' }, trans.__('Sources'), ' ', this.count()),
      this.list,
      this.nodes()
    );
    this.drawList();
  }

  /** Move the focus to a source. */
  open(number: number): void {
    if (number > this.shown) {
      this.shown = number;
      this.drawList();
    }
    const item = this.list.querySelector<HTMLElement>(`[data-passage="${number}"]`);
    item?.focus();
    item?.scrollIntoView({ block: 'nearest' });
  }

  showReport(report: IReport): void {
    this.report = report;
    const { trans } = this.view;
    const { held, failed, unchecked } = tally(report);
    this.say(trans.__('Verified again: %1 claims hold, %2 fail, %3 could not be checked.', held, failed, unchecked));
    this.said.dataset.mark = failed ? 'fails' : unchecked ? 'unknown' : 'holds';
    this.drawList();
  }

  say(text: string): void {
    delete this.said.dataset.mark;
    put(this.said, line(text, 1000));
  }

  private sentences(): (Node | string)[] {
    const { answer, trans } = this.view;
    if (!answer.sentences.length) {
      return [line(answer.text, 2000)];
    }
    return answer.sentences.flatMap((sentence, at) => [
      at ? ' ' : '',
      line(sentence.text, 2000),
      ...sentence.citations.map(one =>
        button(String(one.passage + 1), () => this.open(one.passage + 1), {
          class: 'jp-knet-Citation',
          'aria-label': trans.__('Go to source %1', one.passage + 1)
        })
      )
    ]);
  }

  private toolbar(): HTMLElement {
    const { answer, trans } = this.view;
    const { insert, rate } = this.actions;
    return h(
      'div',
      { class: 'jp-knet-Actions', role: 'group', 'aria-label': trans.__('This answer') },
      insert && button(trans.__('Insert as cell'), insert),
      button(trans.__('Copy citation'), () => this.copy(citations(answer) || line(answer.question))),
      button(trans.__('Re-verify'), () => void this.verify()),
      answer.passages.length ? button(trans.__('Trace'), () => this.actions.trace(1)) : null,
      rate &&
        answer.found &&
        button('+1', () => void this.rate(1, null), { 'aria-label': trans.__('Rate the answer as right') }),
      rate &&
        answer.found &&
        button('−1', () => void this.rate(-1, null), { 'aria-label': trans.__('Rate the answer as wrong') })
    );
  }

  private async verify(): Promise<void> {
    this.say(this.view.trans.__('Checking every claim …'));
    await this.actions.verify().then(
      report => this.showReport(report),
      (error: Error) => this.say(error.message)
    );
  }

  private async rate(value: number, passage: number | null): Promise<void> {
    const { trans } = this.view;
    await this.actions.rate!(value, passage).then(
      () => this.say(trans.__('Your verdict waits; send it in the Provenance panel.')),
      (error: Error) => this.say(error.message)
    );
  }

  private copy(text: string): void {
    const { trans } = this.view;
    navigator.clipboard.writeText(text).then(
      () => this.say(trans.__('Copied.')),
      () => this.say(text)
    );
  }

  private count(): HTMLElement {
    return h('span', { class: 'jp-knet-Count' }, String(this.view.answer.passages.length));
  }

  private drawList(): void {
    const { answer, kinds, trans } = this.view;
    const wanted = answer.passages
      .map((passage, index) => ({ passage, number: index + 1 }))
      .filter(({ passage }) => !kinds || kinds.has(kindOf(passage.uri)));
    const left = wanted.length - this.shown;
    put(
      this.list,
      ...wanted.slice(0, this.shown).map(({ passage, number }) => this.item(number, passage)),
      left > 0 &&
        h(
          'li',
          {},
          button(trans.__('Show %1 more', left), () => this.more())
        )
    );
  }

  private more(): void {
    const next = this.shown + 1;
    this.shown += MORE;
    this.drawList();
    this.open(next);
  }

  private item(number: number, passage: IAnswer['passages'][number]): HTMLElement {
    const { answer, fresh, trans } = this.view;
    const quoted = answer.sentences.flatMap(one => one.citations.filter(span => span.passage === number - 1));
    return passageView(
      passage,
      number,
      quoted,
      marks(answer, number, this.report, fresh),
      {
        trace: () => this.actions.trace(number),
        cite: () => this.copy(citation(answer, number)),
        rate: this.actions.rate && (value => void this.rate(value, number))
      },
      trans
    );
  }

  private nodes(): HTMLElement {
    const { answer, trans } = this.view;
    const asked = answer.nodes.filter(node => node.status !== 'skipped');
    const answered = asked.filter(node => node.status === 'success').length;
    return h(
      'details',
      { class: 'jp-knet-Details' },
      h(
        'summary',
        {},
        trans.__('%1 of %2 nodes answered in %3 ms', answered, asked.length, Math.round(answer.milliseconds))
      ),
      h(
        'ul',
        { class: 'jp-knet-Nodes' },
        ...answer.nodes.map(node =>
          h(
            'li',
            { 'data-status': line(node.status, 20) },
            h('b', {}, line(node.title, 60) || trans.__('node %1', node.node)),
            ` ${line(node.status, 20)} ${line(node.detail, 200)} `,
            h('span', { class: 'jp-knet-Dim' }, line(node.why ?? '', 200))
          )
        )
      )
    );
  }
}
