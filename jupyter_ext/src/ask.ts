/** The ask panel: a question, what happens while it is asked, and the answer. */

import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type { CommandRegistry } from '@lumino/commands';

import { AnswerView } from './answerview';
import { button, h, put } from './dom';
import { Filters } from './filters';
import type { IKnet } from './knet';
import { ProgressView } from './progress';
import type { IAnswered, IAskEvent, IAsked, IReport } from './records';
import { StartView } from './start';
import { StatePanel } from './statepanel';

const SHOWN = 20; // sources at first

export class AskPanel extends Widget {
  private readonly question = h('textarea', { class: 'jp-knet-Input', rows: 3, maxlength: 4096 });
  private readonly go: HTMLButtonElement;
  private readonly halt: HTMLButtonElement;
  private readonly filters: Filters;
  private readonly progress: ProgressView;
  private readonly place = h('div', { class: 'jp-knet-Result' });
  private readonly state: StatePanel;
  private readonly start: StartView;
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
    this.state = new StatePanel(knet);
    this.start = new StartView(knet, question => void this.ask(question));
    this.question.setAttribute('aria-label', trans.__('Your question'));
    this.question.setAttribute('placeholder', trans.__('Ask the network …'));
    this.question.addEventListener('keydown', event => this.onKey(event));
    this.go = button(trans.__('Ask'), () => void this.ask(), { class: 'jp-knet-Button jp-mod-accept' });
    this.halt = button(trans.__('Stop'), () => void this.stop(), { disabled: true });
    put(
      this.node,
      h('h2', { class: 'jp-knet-Title' }, trans.__('Ask the network')),
      this.state.node,
      this.question,
      h('div', { class: 'jp-knet-Actions' }, this.go, this.halt),
      this.filters.node,
      this.progress.node,
      this.start.node,
      this.place
    );
    this.filters.node.addEventListener('toggle', () => void this.offerNodes());
  }

  dispose(): void {
    this.running?.abort.abort();
    this.state.dispose();
    this.start.dispose();
    super.dispose();
  }

  /** Put a question in, and ask it. */
  async ask(question = this.question.value): Promise<void> {
    this.question.value = question;
    if (this.running || !question.trim()) {
      this.question.focus();
      return;
    }
    const filters = this.filters.value;
    const abort = new AbortController();
    this.running = { id: '', abort };
    this.busy(true);
    put(this.place);
    this.start.node.hidden = true;
    this.progress.start();
    const { k, ask, deadline } = this.knet.options;
    const { nodes, min_reliability } = filters;
    const asked: IAsked = {
      question,
      k,
      ask: nodes.length ? 0 : ask,
      nodes,
      private: filters.private,
      min_reliability,
      deadline
    };
    try {
      for await (const event of this.knet.api.ask(asked, abort.signal)) {
        this.take(event, asked);
      }
    } catch (error) {
      this.progress.end(abort.signal.aborted ? this.knet.trans.__('Stopped.') : (error as Error).message);
    } finally {
      this.running = null;
      this.busy(false);
      void this.knet.refresh();
    }
  }

  /** Withdraw the question, on the server too. */
  async stop(): Promise<void> {
    const running = this.running;
    if (running?.id) {
      await this.knet.api.stop(running.id).catch(() => undefined);
    }
    running?.abort.abort(); // a network that is being started goes on starting; nobody need wait for that
  }

  protected onActivateRequest(_: Message): void {
    // The palette that a command came from gives the focus back when it closes, a frame later.
    requestAnimationFrame(() => this.question.focus());
    this.question.focus();
  }

  private take(event: IAskEvent, asked: IAsked): void {
    const { trans } = this.knet;
    if (event.event === 'started' && this.running) {
      this.running.id = event.id ?? '';
    } else if (event.event === 'answer' && event.answer) {
      this.progress.end();
      const { answer, id, text, html } = event;
      const profile = this.knet.state?.profile ?? '';
      this.showAnswer({ asked, profile, answer, id: id ?? '', text: text ?? '', html: html ?? '' });
    } else if (event.event === 'stopped') {
      this.progress.end(trans.__('Stopped.'));
    } else if (event.event === 'error') {
      this.progress.end(event.message);
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
    knet.select({ answer, passage: 1, fresh: true, report: null });
    let report: IReport | null = null;
    const view = new AnswerView(
      { answer, fresh: true, kinds: this.filters.value.kinds, batch: SHOWN, trans: knet.trans },
      {
        trace: passage => {
          knet.select({ answer, passage, fresh: true, report });
          void this.commands.execute('knet:open-provenance');
        },
        verify: async () => {
          report = await knet.api.verify(answer);
          if (knet.selected?.answer === answer) {
            knet.select({ ...knet.selected, report });
          }
          return report;
        },
        insert: () => void this.commands.execute('knet:insert-answer'),
        rate: async (value, passage) => {
          await knet.rate(answer, value, passage);
        }
      }
    );
    put(this.place, view.node);
  }

  private busy(busy: boolean): void {
    this.go.disabled = busy;
    this.halt.disabled = !busy;
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
    if (this.knet.state?.state === 'ready') {
      this.filters.offer(await this.knet.api.nodes().catch(() => []));
    }
  }
}
