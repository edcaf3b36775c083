/** The state that the plugins share: the connection, the health of the network, the selected answer. */

import { JSONExt, ReadonlyPartialJSONValue, Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Api } from './api';
import { Poller } from './poller';
import type { Answer, AskRequest, ConnectionState, HealthSnapshot, PendingRatings, VerificationReport } from './types';

/** The selected answer and passage; `fresh` if the server has just checked the answer while asking. */
export interface ISelection {
  answer: Answer;
  passage: number;
  fresh: boolean;
}

/** An answer with its question and its text forms, ready to be inserted into a notebook. */
export interface IAnswered {
  asked: Required<AskRequest>;
  answer: Answer;
  id: string;
  text: string;
  html: string;
}

export interface IOptions {
  k: number;
  max_nodes: number | 'auto' | 'all'; // auto: as many as are likely to matter
  node_timeout: number;
}

export interface IKnet {
  readonly api: Api;
  readonly trans: TranslationBundle;
  readonly options: IOptions;
  readonly state: ConnectionState | null;
  readonly stateChanged: ISignal<IKnet, ConnectionState | null>;
  /** The network's name, which is kept while the server does not answer; empty while it is unknown. */
  readonly profile: string;
  readonly profileChanged: ISignal<IKnet, string>;
  /** True if that network is connected, so that a request does not start it. */
  readonly ready: boolean;
  /** Select the network of this profile of the server; empty: its default. */
  use(profile: string): void;
  /** Read the state of the connection from the server; starts nothing. */
  refresh(): Promise<void>;
  /** The newest health snapshot; null before the first, and while the server does not answer. */
  readonly health: HealthSnapshot | null;
  readonly healthChanged: ISignal<IKnet, HealthSnapshot | null>;
  /** Poll the health every few seconds until the result is disposed; otherwise it is polled twice a minute. */
  watch(): IDisposable;
  /** Poll the health now. */
  refreshHealth(): Promise<void>;
  /** Connect to the network, which starts the demo network if it is selected. */
  connect(): Promise<void>;
  /** The last answer of the ask panel. */
  answered: IAnswered | null;
  readonly selected: ISelection | null;
  readonly selectionChanged: ISignal<IKnet, ISelection | null>;
  select(selection: ISelection | null): void;
  /** The newest verification report of an answer from anywhere in JupyterLab, or null. */
  reportOn(answer: Answer): VerificationReport | null;
  readonly reportsChanged: ISignal<IKnet, VerificationReport>;
  /** Check every claim of an answer again, and keep the report. */
  verify(answer: Answer): Promise<void>;
  /** The queued ratings; a failure to read them becomes their `problem`. */
  pending(): Promise<PendingRatings>;
  /** Emitted when a rating was queued, withdrawn or sent. */
  readonly ratingsChanged: ISignal<IKnet, PendingRatings>;
  rate(answer: Answer, value: number, passage: number | null): Promise<PendingRatings>;
  /** Withdraw a queued rating. */
  withdraw(receipt: string): Promise<void>;
  /** Send the queued ratings with at most `bond` wei (in digits) at stake. Returns the transactions, none for an empty queue. */
  flush(bond: string): Promise<string[]>;
}

export const IKnet = new Token<IKnet>('knet-jupyter:IKnet', 'The connection to the knet network.');

const POLL_MILLISECONDS = 1000; // while a network starts
const MAX_REPORTS = 200; // kept; the oldest are dropped

export class Knet implements IKnet {
  state: ConnectionState | null = null;
  profile = '';
  health: HealthSnapshot | null = null;
  answered: IAnswered | null = null;
  selected: ISelection | null = null;
  private readonly poller: Poller;
  private reports: { answer: Answer; report: VerificationReport }[] = [];
  readonly stateChanged: Signal<IKnet, ConnectionState | null> = new Signal<IKnet, ConnectionState | null>(this);
  readonly profileChanged: Signal<IKnet, string> = new Signal<IKnet, string>(this);
  readonly healthChanged: Signal<IKnet, HealthSnapshot | null> = new Signal<IKnet, HealthSnapshot | null>(this);
  readonly selectionChanged: Signal<IKnet, ISelection | null> = new Signal<IKnet, ISelection | null>(this);
  readonly reportsChanged: Signal<IKnet, VerificationReport> = new Signal<IKnet, VerificationReport>(this);
  readonly ratingsChanged: Signal<IKnet, PendingRatings> = new Signal<IKnet, PendingRatings>(this);

  constructor(
    readonly api: Api,
    readonly trans: TranslationBundle,
    readonly options: IOptions
  ) {
    this.poller = new Poller(
      () => this.current(() => api.health()),
      health => this.onHealth(health)
    );
  }

  get ready(): boolean {
    return this.state?.state === 'ready' && this.state.profile === this.profile;
  }

  watch(): IDisposable {
    return this.poller.watch();
  }

  refreshHealth(): Promise<void> {
    return this.poller.now();
  }

  use(profile: string): void {
    if (profile !== this.api.profile) {
      this.api.profile = profile;
      this.setProfile(profile);
    }
  }

  async refresh(): Promise<void> {
    this.setState(await this.current(() => this.api.state()).catch(() => null));
    if (this.state?.state !== this.health?.state.state) {
      void this.refreshHealth();
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

  async rate(answer: Answer, value: number, passage: number | null): Promise<PendingRatings> {
    return this.emitRatings(() => this.api.rate(answer, value, passage));
  }

  private onHealth(health: HealthSnapshot | null): void {
    const state = health?.state ?? null;
    const changed = JSON.stringify(state) !== JSON.stringify(this.state);
    this.health = health;
    if (changed) {
      this.setState(state);
    }
    this.healthChanged.emit(health);
  }

  private setState(state: ConnectionState | null): void {
    this.state = state;
    if (state) {
      this.setProfile(state.profile);
    }
    this.stateChanged.emit(state);
  }

  private setProfile(profile: string): void {
    if (profile !== this.profile) {
      this.profile = profile;
      this.profileChanged.emit(profile);
    }
  }

  reportOn(answer: Answer): VerificationReport | null {
    return this.reports.find(one => sameAnswer(one.answer, answer))?.report ?? null;
  }

  async verify(answer: Answer): Promise<void> {
    const report = await this.api.verify(answer);
    this.reports = [{ answer, report }, ...this.reports.filter(one => !sameAnswer(one.answer, answer))].slice(
      0,
      MAX_REPORTS
    );
    this.reportsChanged.emit(report);
  }

  pending(): Promise<PendingRatings> {
    return this.current(() => this.api.pending()).catch((error: Error) => ({
      ratings: [],
      cost: null,
      problem: error.message,
      rated: []
    }));
  }

  async withdraw(receipt: string): Promise<void> {
    await this.emitRatings(() => this.api.withdraw(receipt));
  }

  async flush(bond: string): Promise<string[]> {
    try {
      return (await this.api.flush(bond)).transactions;
    } finally {
      await this.emitRatings(() => this.pending());
    }
  }

  /** Read from the server, and read again if another network was selected meanwhile. */
  private async current<T>(read: () => Promise<T>): Promise<T> {
    const { profile } = this.api;
    const found = await read();
    return profile === this.api.profile ? found : this.current(read);
  }

  /** Emit the queued ratings, unless another network was selected meanwhile. */
  private async emitRatings(read: () => Promise<PendingRatings>): Promise<PendingRatings> {
    const { profile } = this.api;
    const pending = await read();
    if (profile === this.api.profile) {
      this.ratingsChanged.emit(pending);
    }
    return pending;
  }
}

/** Return true if two records of an answer are equal, in any order of their fields. */
export function sameAnswer(one: Answer, other: Answer): boolean {
  const plain = (answer: Answer) => answer as unknown as ReadonlyPartialJSONValue;
  return one === other || JSONExt.deepEqual(plain(one), plain(other));
}
