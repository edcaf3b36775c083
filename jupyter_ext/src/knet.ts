/** What the plugins share: the server's side, the state of the network, and which answer is being looked at. */

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Api } from './api';
import { Heartbeat } from './heartbeat';
import type { IAnswer, IAnswered, IPending, IPulse, IReport, IState } from './records';

/** An answer in view; `fresh` if the server checked it while asking, `report` once it was verified again. */
export interface ISelection {
  answer: IAnswer;
  passage: number;
  fresh: boolean;
  report: IReport | null;
}

export interface IOptions {
  k: number;
  ask: number | null; // null: as many as matter
  deadline: number;
}

export interface IKnet {
  readonly api: Api;
  readonly trans: TranslationBundle;
  readonly options: IOptions;
  readonly state: IState | null;
  readonly stateChanged: ISignal<IKnet, IState | null>;
  /** Read the state of the connection from the server; starts nothing. */
  refresh(): Promise<void>;
  /** How the nodes were when they were last looked at; null before, and when the server does not answer. */
  readonly pulse: IPulse | null;
  readonly pulseChanged: ISignal<IKnet, IPulse | null>;
  /** Look at the nodes every few seconds until this is disposed of; otherwise that is done twice a minute. */
  watch(): IDisposable;
  /** Look at the nodes now. */
  look(): Promise<void>;
  /** Connect to the network, which starts the embedded one if that is the one. */
  connect(): Promise<void>;
  /** What the panel asked last, ready to be put into a notebook. */
  answered: IAnswered | null;
  readonly selected: ISelection | null;
  readonly selectionChanged: ISignal<IKnet, ISelection | null>;
  select(selection: ISelection | null): void;
  /** Ratings changed: somebody rated, or sent what was waiting. */
  readonly ratingsChanged: ISignal<IKnet, IPending>;
  rate(answer: IAnswer, value: number, passage: number | null): Promise<IPending>;
  /** Take back a verdict that waits. */
  withdraw(receipt: string): Promise<void>;
  /** Send what waits, putting at most `bond` wei (in digits) at stake. */
  flush(bond: string): Promise<string[]>;
}

export const IKnet = new Token<IKnet>('knet-jupyter:IKnet', 'The knet network, as this JupyterLab sees it.');

const POLL_MILLISECONDS = 1000; // while a network starts

export class Knet implements IKnet {
  state: IState | null = null;
  pulse: IPulse | null = null;
  answered: IAnswered | null = null;
  selected: ISelection | null = null;
  private readonly heartbeat: Heartbeat;
  readonly stateChanged: Signal<IKnet, IState | null> = new Signal<IKnet, IState | null>(this);
  readonly pulseChanged: Signal<IKnet, IPulse | null> = new Signal<IKnet, IPulse | null>(this);
  readonly selectionChanged: Signal<IKnet, ISelection | null> = new Signal<IKnet, ISelection | null>(this);
  readonly ratingsChanged: Signal<IKnet, IPending> = new Signal<IKnet, IPending>(this);

  constructor(
    readonly api: Api,
    readonly trans: TranslationBundle,
    readonly options: IOptions
  ) {
    this.heartbeat = new Heartbeat(
      () => api.pulse(),
      pulse => this.onPulse(pulse)
    );
  }

  watch(): IDisposable {
    return this.heartbeat.watch();
  }

  look(): Promise<void> {
    return this.heartbeat.now();
  }

  async refresh(): Promise<void> {
    this.state = await this.api.state().catch(() => null);
    this.stateChanged.emit(this.state);
    if (this.state?.state !== this.pulse?.state.state) {
      void this.look();
    }
  }

  async connect(): Promise<void> {
    const watching = setInterval(() => void this.refresh(), POLL_MILLISECONDS);
    try {
      await this.api.connect();
    } finally {
      clearInterval(watching);
      await this.refresh();
    }
  }

  select(selection: ISelection | null): void {
    this.selected = selection;
    this.selectionChanged.emit(selection);
  }

  async rate(answer: IAnswer, value: number, passage: number | null): Promise<IPending> {
    const pending = await this.api.rate(answer, value, passage);
    this.ratingsChanged.emit(pending);
    return pending;
  }

  private onPulse(pulse: IPulse | null): void {
    const state = pulse?.state ?? null;
    const changed = JSON.stringify(state) !== JSON.stringify(this.state);
    this.pulse = pulse;
    if (changed) {
      this.state = state;
      this.stateChanged.emit(this.state);
    }
    this.pulseChanged.emit(pulse);
  }

  async withdraw(receipt: string): Promise<void> {
    this.ratingsChanged.emit(await this.api.withdraw(receipt));
  }

  async flush(bond: string): Promise<string[]> {
    try {
      return (await this.api.flush(bond)).transactions;
    } finally {
      this.ratingsChanged.emit(await this.api.pending());
    }
  }
}
