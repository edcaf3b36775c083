/** The state that the plugins share: the connection, the health of the network, the selected answer. */

import { JSONExt, ReadonlyPartialJSONValue, Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
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

/** The state as the plugins require it. */
export type IKnet = Knet;

export const IKnet = new Token<IKnet>('knet-jupyter:IKnet', 'The connection to the knet network.');

const POLL_MILLISECONDS = 1000; // while a network starts
const MAX_REPORTS = 200; // kept; the oldest are dropped

export class Knet {
  state: ConnectionState | null = null;
  /** The network's name, which is kept while the server does not answer; empty while it is unknown. */
  profile = '';
  /** The newest health snapshot; null before the first, and while the server does not answer. */
  health: HealthSnapshot | null = null;
  /** The last answer of the ask panel. */
  answered: IAnswered | null = null;
  selected: ISelection | null = null;
  private readonly poller: Poller;
  private reports: { answer: Answer; report: VerificationReport }[] = [];
  readonly stateChanged: Signal<IKnet, ConnectionState | null> = new Signal<IKnet, ConnectionState | null>(this);
  readonly profileChanged: Signal<IKnet, string> = new Signal<IKnet, string>(this);
  readonly healthChanged: Signal<IKnet, HealthSnapshot | null> = new Signal<IKnet, HealthSnapshot | null>(this);
  readonly selectionChanged: Signal<IKnet, ISelection | null> = new Signal<IKnet, ISelection | null>(this);
  readonly reportsChanged: Signal<IKnet, VerificationReport> = new Signal<IKnet, VerificationReport>(this);
  /** Emitted when a rating was queued, withdrawn or sent. */
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

  /** True if that network is connected, so that a request does not start it. */
  get ready(): boolean {
    return this.state?.state === 'ready' && this.state.profile === this.profile;
  }

  /** Poll the health every few seconds until the result is disposed; otherwise it is polled twice a minute. */
  watch(): IDisposable {
    return this.poller.watch();
  }

  /** Poll the health now. */
  refreshHealth(): Promise<void> {
    return this.poller.now();
  }

  /** Select the network of this profile of the server; empty: its default. */
  use(profile: string): void {
    if (profile !== this.api.profile) {
      this.api.profile = profile;
      this.setProfile(profile);
    }
  }

  /** Read the state of the connection from the server; starts nothing. */
  async refresh(): Promise<void> {
    this.setState(await this.current(() => this.api.state()).catch(() => null));
    if (this.state?.state !== this.health?.state.state) {
      void this.refreshHealth();
    }
  }

  /** Connect to the network, which starts the demo network if it is selected. */
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

  /** Return the newest verification report of an answer from anywhere in JupyterLab, or null. */
  reportOn(answer: Answer): VerificationReport | null {
    return this.reports.find(one => sameAnswer(one.answer, answer))?.report ?? null;
  }

  /** Check every claim of an answer again, and keep the report. */
  async verify(answer: Answer): Promise<void> {
    const report = await this.api.verify(answer);
    this.reports = [{ answer, report }, ...this.reports.filter(one => !sameAnswer(one.answer, answer))].slice(
      0,
      MAX_REPORTS
    );
    this.reportsChanged.emit(report);
  }

  /** Return the queued ratings; a failure to read them becomes their `problem`. */
  pending(): Promise<PendingRatings> {
    return this.current(() => this.api.pending()).catch((error: Error) => ({
      ratings: [],
      cost: null,
      problem: error.message,
      rated: []
    }));
  }

  /** Withdraw a queued rating. */
  async withdraw(receipt: string): Promise<void> {
    await this.emitRatings(() => this.api.withdraw(receipt));
  }

  /** Send the queued ratings with at most `bond` wei (in digits) at stake; return the transactions, if any. */
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
