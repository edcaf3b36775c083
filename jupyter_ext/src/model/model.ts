/** What the plugins share: the server's side, the state of the network, and which answer is being looked at. */

import { JSONExt, ReadonlyPartialJSONValue, Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Api } from './api';
import { Heartbeat } from './poller';
import type { IAnswer, IAnswered, IPending, IPulse, IReport, IState } from './types';

/** An answer in view; `fresh` if the server checked it while asking. */
export interface ISelection {
  answer: IAnswer;
  passage: number;
  fresh: boolean;
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
  /** The network's name, which stays known while the server does not answer; empty: none is known yet. */
  readonly profile: string;
  readonly profileChanged: ISignal<IKnet, string>;
  /** Whether that network is connected, so that asking for something does not start it. */
  readonly ready: boolean;
  /** Turn to the network of this profile of the server; empty: its default. */
  use(profile: string): void;
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
  /** What the newest verification of an answer found, wherever in JupyterLab that was asked for; null: none was. */
  reportOn(answer: IAnswer): IReport | null;
  readonly reportsChanged: ISignal<IKnet, IReport>;
  /** Check every claim of an answer again, and keep what that finds. */
  verify(answer: IAnswer): Promise<void>;
  /** Ratings that wait; that they cannot be read is their `problem`. */
  pending(): Promise<IPending>;
  /** Ratings changed: somebody rated, or sent what was waiting. */
  readonly ratingsChanged: ISignal<IKnet, IPending>;
  rate(answer: IAnswer, value: number, passage: number | null): Promise<IPending>;
  /** Take back a verdict that waits. */
  withdraw(receipt: string): Promise<void>;
  /** Send what waits, putting at most `bond` wei (in digits) at stake; the transactions, none if nothing waited. */
  flush(bond: string): Promise<string[]>;
}

export const IKnet = new Token<IKnet>('knet-jupyter:IKnet', 'The knet network, as this JupyterLab sees it.');

const POLL_MILLISECONDS = 1000; // while a network starts
const REPORTS = 200; // kept; the oldest make room

export class Knet implements IKnet {
  state: IState | null = null;
  profile = '';
  pulse: IPulse | null = null;
  answered: IAnswered | null = null;
  selected: ISelection | null = null;
  private readonly heartbeat: Heartbeat;
  private reports: { answer: IAnswer; report: IReport }[] = [];
  readonly stateChanged: Signal<IKnet, IState | null> = new Signal<IKnet, IState | null>(this);
  readonly profileChanged: Signal<IKnet, string> = new Signal<IKnet, string>(this);
  readonly pulseChanged: Signal<IKnet, IPulse | null> = new Signal<IKnet, IPulse | null>(this);
  readonly selectionChanged: Signal<IKnet, ISelection | null> = new Signal<IKnet, ISelection | null>(this);
  readonly reportsChanged: Signal<IKnet, IReport> = new Signal<IKnet, IReport>(this);
  readonly ratingsChanged: Signal<IKnet, IPending> = new Signal<IKnet, IPending>(this);

  constructor(
    readonly api: Api,
    readonly trans: TranslationBundle,
    readonly options: IOptions
  ) {
    this.heartbeat = new Heartbeat(
      () => this.current(() => api.pulse()),
      pulse => this.onPulse(pulse)
    );
  }

  get ready(): boolean {
    return this.state?.state === 'ready' && this.state.profile === this.profile;
  }

  watch(): IDisposable {
    return this.heartbeat.watch();
  }

  look(): Promise<void> {
    return this.heartbeat.now();
  }

  use(profile: string): void {
    if (profile !== this.api.profile) {
      this.api.profile = profile;
      this.turn(profile);
    }
  }

  async refresh(): Promise<void> {
    this.takeState(await this.current(() => this.api.state()).catch(() => null));
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
    return this.tell(() => this.api.rate(answer, value, passage));
  }

  private onPulse(pulse: IPulse | null): void {
    const state = pulse?.state ?? null;
    const changed = JSON.stringify(state) !== JSON.stringify(this.state);
    this.pulse = pulse;
    if (changed) {
      this.takeState(state);
    }
    this.pulseChanged.emit(pulse);
  }

  private takeState(state: IState | null): void {
    this.state = state;
    if (state) {
      this.turn(state.profile);
    }
    this.stateChanged.emit(state);
  }

  private turn(profile: string): void {
    if (profile !== this.profile) {
      this.profile = profile;
      this.profileChanged.emit(profile);
    }
  }

  reportOn(answer: IAnswer): IReport | null {
    return this.reports.find(one => same(one.answer, answer))?.report ?? null;
  }

  async verify(answer: IAnswer): Promise<void> {
    const report = await this.api.verify(answer);
    this.reports = [{ answer, report }, ...this.reports.filter(one => !same(one.answer, answer))].slice(0, REPORTS);
    this.reportsChanged.emit(report);
  }

  pending(): Promise<IPending> {
    return this.current(() => this.api.pending()).catch((error: Error) => ({
      ratings: [],
      cost: null,
      problem: error.message
    }));
  }

  async withdraw(receipt: string): Promise<void> {
    await this.tell(() => this.api.withdraw(receipt));
  }

  async flush(bond: string): Promise<string[]> {
    try {
      return (await this.api.flush(bond)).transactions;
    } finally {
      await this.tell(() => this.pending());
    }
  }

  /** What the server says of the network that is looked at; it is asked again if that is another one by then. */
  private async current<T>(read: () => Promise<T>): Promise<T> {
    const { profile } = this.api;
    const found = await read();
    return profile === this.api.profile ? found : this.current(read);
  }

  /** Tells of what waits, unless another network is looked at by the time it is known. */
  private async tell(read: () => Promise<IPending>): Promise<IPending> {
    const { profile } = this.api;
    const pending = await read();
    if (profile === this.api.profile) {
      this.ratingsChanged.emit(pending);
    }
    return pending;
  }
}

/** Whether two records of an answer say the same, whichever way their files order the fields. */
export function same(one: IAnswer, other: IAnswer): boolean {
  const plain = (answer: IAnswer) => answer as unknown as ReadonlyPartialJSONValue;
  return one === other || JSONExt.deepEqual(plain(one), plain(other));
}
