/** The view of an answer with its citations, sources and nodes, in the ask panel and in notebook outputs. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { marks, tally } from '../model/checks';
import { button, h, put } from './dom';
import { marksView, statusWord } from './checkmarks';
import { passageView, showMark } from './passage';
import { Answer, EXTRACTIVE, Passage, VerificationReport } from '../model/types';
import { Kind, citation, citations, kindOf, line } from '../model/text';

export interface IAnswerActions {
  trace: (passage: number) => void;
  verify: () => Promise<void>; // the report arrives through `showReport`
  insert?: () => void;
  rate?: (value: number, passage: number | null) => Promise<void>;
}

export interface IView {
  answer: Answer;
  fresh: boolean;
  kinds: Set<Kind> | null;
  batch: number; // sources shown at first; two hundred at once would make a panel slow
  trans: TranslationBundle;
}

const MORE = 20; // sources added at a time, as many as a slow machine draws within a frame
const MAX_ENDING = 20; // letters of a last word that stays on the line of its citations

export class AnswerView {
  readonly node: HTMLElement;
  private readonly list = h('ol', { class: 'jp-knet-Passages' });
  private readonly message = h('p', { class: 'jp-knet-Message', role: 'status' });
  private readonly count = h('span', { class: 'jp-knet-Count' });
  private report: VerificationReport | null = null;
  private readonly titles: Map<number, string>;
  private readonly listed: { passage: Passage; number: number }[];
  private shown = 0;

  constructor(
    private readonly view: IView,
    private readonly actions: IAnswerActions
  ) {
    const { answer, trans } = view;
    this.listed = answer.passages
      .map((passage, index) => ({ passage, number: index + 1 }))
      .filter(({ passage }) => !view.kinds || view.kinds.has(kindOf(passage.uri)));
    this.titles = new Map(answer.nodes.map(node => [node.node, node.title]));
    this.node = h(
      'article',
      { class: 'jp-knet-Answer', 'aria-label': trans.__('Answer') },
      h('p', { class: 'jp-knet-Question' }, line(answer.question)),
      ...this.disagreements(),
      h('p', { class: 'jp-knet-Text' }, ...this.sentences()),
      answer.confidence
        ? h(
            'p',
            { class: 'jp-knet-Message' },
            trans.__(
              'Confidence: %1 (probability %2)',
              line(answer.confidence.grade, 40),
              answer.confidence.probability.toFixed(2)
            )
          )
        : null,
      answer.writer === EXTRACTIVE
        ? null
        : h(
            'p',
            { class: 'jp-knet-Message' },
            trans.__('Written by %1: its sources can be checked, its words cannot.', line(answer.writer, 80))
          ),
      answer.problem ? h('p', { class: 'jp-knet-Message' }, line(answer.problem)) : null,
      this.toolbar(),
      this.message,
      h('h3', { class: 'jp-knet-Heading' }, trans.__('Sources'), ' ', this.count),
      this.list,
      this.nodes()
    );
    this.drawCount();
    this.add(view.batch);
    requestAnimationFrame(() => this.list.querySelectorAll<HTMLElement>('[data-passage]').forEach(showMark));
  }

  /** Move the focus to a source; a source that the filter hides is added to the list. */
  open(number: number): void {
    const passage = this.view.answer.passages[number - 1];
    if (passage && !this.listed.some(one => one.number === number)) {
      this.listed.splice(this.shown, 0, { passage, number });
      this.drawCount();
    }
    this.add(this.listed.findIndex(one => one.number === number) + 1 - this.shown);
    const item = this.list.querySelector<HTMLElement>(`[data-passage="${number}"]`);
    item?.focus();
    item?.scrollIntoView({ block: 'nearest' });
  }

  /** Show a verification report; a second call with the same report does nothing. */
  showReport(report: VerificationReport | null): void {
    if (!report || report === this.report) {
      return;
    }
    this.report = report;
    const { trans } = this.view;
    const { held, failed, unchecked } = tally(report);
    this.showMessage(
      trans.__('Verified again: %1 claims hold, %2 fail, %3 could not be checked.', held, failed, unchecked)
    );
    this.message.dataset.mark = failed ? 'fails' : unchecked ? 'unknown' : 'holds';
    this.list.querySelectorAll<HTMLElement>('[data-passage]').forEach(item => {
      const found = marks(this.view.answer, Number(item.dataset.passage), report, this.view.fresh);
      item.querySelector('.jp-knet-Marks')?.replaceWith(marksView(found, trans));
    });
  }

  private showMessage(text: string): void {
    delete this.message.dataset.mark;
    put(this.message, line(text, 1000));
  }

  /** Name each pair of sources that say different things, with what each says and its reliability. */
  private disagreements(): HTMLElement[] {
    const { trans } = this.view;
    return (this.view.answer.conflicts ?? []).map(({ first, second }) =>
      h(
        'p',
        { class: 'jp-knet-Message', 'data-mark': 'fails' },
        trans.__('Sources disagree:'),
        ...[first, second].flatMap(side => [
          ' ',
          trans.__(
            'node %1 (reliability %2) says “%3”',
            String(side.node),
            side.reliability.toFixed(2),
            line(side.words, 300)
          ),
          this.reference(side.passage + 1)
        ])
      )
    );
  }

  private sentences(): (Node | string)[] {
    const { answer } = this.view;
    if (!answer.sentences.length) {
      return [line(answer.text, 2000)];
    }
    return answer.sentences.flatMap((sentence, at) => {
      const words = line(sentence.text, 2000);
      const last = words.slice(words.lastIndexOf(' ') + 1);
      const ending = last.length <= MAX_ENDING ? last : '';
      return [
        at ? ' ' : '',
        words.slice(0, words.length - ending.length),
        h(
          'span',
          { class: 'jp-knet-Ending' },
          ending,
          ...[...new Set(sentence.citations.map(one => one.passage + 1))].map(number => this.reference(number))
        )
      ];
    });
  }

  private reference(number: number): HTMLElement {
    return button(String(number), () => this.open(number), {
      class: 'jp-knet-Citation',
      'aria-label': this.view.trans.__('Go to source %1', number)
    });
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
    this.showMessage(this.view.trans.__('Checking every claim …'));
    await this.actions.verify().catch((error: Error) => this.showMessage(error.message));
  }

  private async rate(value: number, passage: number | null): Promise<void> {
    const { trans } = this.view;
    await this.actions.rate!(value, passage).then(
      () => this.showMessage(trans.__('Your rating waits; send it in the Provenance panel.')),
      (error: Error) => this.showMessage(error.message)
    );
  }

  private copy(text: string): void {
    const { trans } = this.view;
    const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(); // a page over plain http has no clipboard
    copied.then(
      () => this.showMessage(trans.__('Copied.')),
      () => this.showMessage(text)
    );
  }

  private drawCount(): void {
    const [all, shown] = [this.view.answer.passages.length, this.listed.length];
    put(this.count, shown < all ? this.view.trans.__('%1 of %2', shown, all) : String(all));
  }

  /** Add sources at the end of the list. */
  private add(count: number): void {
    const { trans } = this.view;
    const items = this.listed
      .slice(this.shown, this.shown + Math.max(count, 0))
      .map(({ passage, number }) => this.item(number, passage));
    this.shown += items.length;
    this.list.querySelector('.jp-knet-More')?.remove();
    this.list.append(...items);
    const left = this.listed.length - this.shown;
    if (left > 0) {
      this.list.append(
        h(
          'li',
          { class: 'jp-knet-More jp-knet-Actions' },
          button(trans.__('Show %1 more', Math.min(MORE, left)), () => this.more(false)),
          left > MORE ? button(trans.__('Show all %1', this.listed.length), () => this.more(true)) : null
        )
      );
    }
  }

  /** Add the next sources, or all of them a few each frame, so that the page stays responsive. */
  private more(all: boolean): void {
    const next = this.listed[this.shown].number;
    this.add(MORE);
    this.open(next);
    const addBatch = () => {
      this.add(MORE);
      if (this.shown < this.listed.length && this.node.isConnected) {
        requestAnimationFrame(addBatch);
      }
    };
    if (all) {
      requestAnimationFrame(addBatch);
    }
  }

  private item(number: number, passage: Answer['passages'][number]): HTMLElement {
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
      this.titles.get(passage.provenance.node) ?? '',
      fresh,
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
            ` ${statusWord(node.status, trans)} ${line(node.detail, 200)} `,
            h('span', { class: 'jp-knet-Dim' }, line(node.why ?? '', 200))
          )
        )
      )
    );
  }
}
