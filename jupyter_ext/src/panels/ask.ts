/** The ask panel: the question, the progress, and the answer. */

import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type { CommandRegistry } from '@lumino/commands';

import { AnswerView } from '../views/answer';
import { button, enable, h, put } from '../views/dom';
import { Filters } from '../views/filters';
import type { IAnswered, IKnet } from '../model/model';
import { ProgressView, isEnd } from '../views/progress';
import { AskEvent, AskRequest, MAX_QUESTION } from '../model/types';
import { WelcomeView } from './welcome';
import { ConnectionView } from './connection';
import { line } from '../model/text';

const FIRST_SOURCES = 20; // shown at first

export class AskPanel extends Widget {
  private readonly question = h('textarea', { class: 'jp-knet-Input', rows: 3, maxlength: MAX_QUESTION });
  private readonly askButton: HTMLButtonElement;
  private readonly stopButton: HTMLButtonElement;
  private readonly filters: Filters;
  private readonly progress: ProgressView;
  private readonly announcement = h('p', { class: 'jp-knet-Hidden', role: 'status' }); // for screen readers
  private readonly result = h('div', { class: 'jp-knet-Result' });
  private readonly connection: ConnectionView;
  private readonly welcome: WelcomeView;
  private view: AnswerView | null = null;
  private running: { id: string; abort: AbortController } | null = null;

  constructor(
    private readonly knet: IKnet,
    private readonly commands: CommandRegistry
  ) {
    super();
    const { trans } = knet;
    this.addClass('jp-knet-Panel');
    this.filters = new Filters(trans);
    this.progress = new ProgressView(trans);
    this.connection = new ConnectionView(knet);
    this.welcome = new WelcomeView(knet, question => void this.ask(question));
    this.question.setAttribute('aria-label', trans.__('Your question'));
    this.question.setAttribute('placeholder', trans.__('Ask the network …'));
    this.question.addEventListener('keydown', event => this.onKey(event));
    this.askButton = button(trans.__('Ask'), () => void this.ask(), { class: 'jp-knet-Button jp-mod-accept' });
    this.stopButton = button(trans.__('Stop'), () => void this.stop());
    put(
      this.node,
      h('h2', { class: 'jp-knet-Title' }, trans.__('Ask the network')),
      this.connection.node,
      this.question,
      h('div', { class: 'jp-knet-Actions' }, this.askButton, this.stopButton),
      this.filters.node,
      this.progress.node,
      this.announcement,
      this.welcome.node,
      this.result
    );
    this.busy(false);
    this.filters.node.addEventListener('toggle', () => void this.offerNodes());
    knet.profileChanged.connect(this.onProfile, this);
    knet.stateChanged.connect(this.onState, this);
    knet.reportsChanged.connect(this.onReport, this);
  }

  dispose(): void {
    this.running?.abort.abort();
    this.knet.profileChanged.disconnect(this.onProfile, this);
    this.knet.stateChanged.disconnect(this.onState, this);
    this.knet.reportsChanged.disconnect(this.onReport, this);
    this.connection.dispose();
    this.welcome.dispose();
    super.dispose();
  }

  /** Ask a question, by default the one in the text field. */
  async ask(question = this.question.value): Promise<void> {
    this.question.value = question;
    if (this.running || !question.trim()) {
      this.question.focus();
      return;
    }
    const { trans, profile } = this.knet;
    const filters = this.filters.value;
    const abort = new AbortController();
    this.running = { id: '', abort };
    this.busy(true);
    put(this.result);
    put(this.announcement, trans.__('Asking …'));
    if (this.welcome.node.contains(document.activeElement)) {
      this.question.focus();
    }
    this.welcome.node.hidden = true;
    this.progress.start();
    const { k, max_nodes, node_timeout } = this.knet.options;
    const { nodes, min_reliability } = filters;
    const asked: Required<AskRequest> = {
      question,
      profile,
      k,
      max_nodes: nodes.length ? 'all' : max_nodes,
      nodes,
      private: filters.private,
      min_reliability,
      node_timeout
    };
    let ended = false;
    try {
      for await (const event of this.knet.api.ask(asked, abort.signal)) {
        this.onEvent(event, asked);
        ended ||= isEnd(event);
      }
      if (!ended) {
        throw new Error(trans.__('The connection was lost before the answer arrived. Ask again.'));
      }
    } catch (error) {
      this.end(abort.signal.aborted ? trans.__('Stopped.') : (error as Error).message);
    } finally {
      this.running = null;
      this.busy(false);
      void this.knet.refresh();
    }
  }

  /** Cancel the question, on the server too. */
  async stop(): Promise<void> {
    const running = this.running;
    if (running?.id) {
      await this.knet.api.stop(running.id).catch(() => undefined);
    }
    running?.abort.abort(); // a starting network continues to start
  }

  protected onActivateRequest(_: Message): void {
    // The command palette restores the previous focus when it closes, a frame later.
    requestAnimationFrame(() => this.question.focus());
    this.question.focus();
  }

  private onEvent(event: AskEvent, asked: Required<AskRequest>): void {
    const { trans } = this.knet;
    if (event.event === 'started' && this.running) {
      this.running.id = event.id ?? '';
    } else if (event.event === 'answer' && event.answer) {
      this.progress.end();
      const { answer, id, text, html } = event;
      this.showAnswer({ asked, answer, id: id ?? '', text: text ?? '', html: html ?? '' });
    } else if (event.event === 'stopped') {
      this.end(trans.__('Stopped.'));
    } else if (event.event === 'error') {
      this.end(event.message ?? '');
    } else {
      if (event.event === 'phase' && this.knet.state?.state !== 'starting') {
        void this.knet.refresh();
      }
      this.progress.take(event);
    }
  }

  private showAnswer(answered: IAnswered): void {
    const { answer } = answered;
    const { knet } = this;
    knet.answered = answered;
    knet.select({ answer, passage: 1, fresh: true });
    this.view = new AnswerView(
      { answer, fresh: true, kinds: this.filters.value.kinds, batch: FIRST_SOURCES, trans: knet.trans },
      {
        trace: passage => {
          knet.select({ answer, passage, fresh: true });
          void this.commands.execute('knet:open-provenance');
        },
        verify: () => knet.verify(answer),
        insert: () => void this.commands.execute('knet:insert-answer'),
        rate: async (value, passage) => {
          await knet.rate(answer, value, passage);
        }
      }
    );
    put(this.result, this.view.node);
    const count = answer.passages.length;
    put(this.announcement, knet.trans._n('Answer with %1 source.', 'Answer with %1 sources.', count, count));
  }

  /** End without an answer, and show the reason. */
  private end(text: string): void {
    this.progress.end(text);
    put(this.announcement, line(text, 1000));
  }

  private busy(busy: boolean): void {
    enable(this.askButton, !busy);
    enable(this.stopButton, busy);
    this.node.setAttribute('aria-busy', String(busy));
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void this.ask();
    } else if (event.key === 'Escape' && this.running) {
      event.stopPropagation();
      void this.stop();
    }
  }

  private async offerNodes(): Promise<void> {
    const { api, ready } = this.knet;
    if (!ready || !this.filters.node.open) {
      return;
    }
    const { profile } = api;
    await api.nodes().then(
      nodes => profile === api.profile && this.filters.offer(nodes),
      (error: Error) => this.filters.showMessage(error.message)
    );
  }

  private onProfile(): void {
    this.filters.clear();
  }

  private onState(): void {
    if (this.filters.empty) {
      void this.offerNodes();
    }
  }

  private onReport(): void {
    this.view?.showReport(this.knet.answered && this.knet.reportOn(this.knet.answered.answer));
  }
}
