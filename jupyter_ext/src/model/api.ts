/** The routes of the server extension, which holds the keys. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type {
  Answer,
  AskEvent,
  AskRequest,
  ConnectionState,
  Custody,
  ExportedFile,
  HealthSnapshot,
  LocalNode,
  NodeInfo,
  NotebookReport,
  Overview,
  PendingRatings,
  Transactions,
  VerificationReport
} from './types';
import { readLines } from './ndjson';

export class Api {
  constructor(
    private readonly server: ServerConnection.ISettings,
    public profile = ''
  ) {}

  /** Ask, and yield each event as it arrives. Leaving the loop, or `signal`, cancels the question. */
  async *ask(asked: AskRequest, signal: AbortSignal): AsyncGenerator<AskEvent> {
    const response = await this.send('ask', { ...asked, profile: this.profile }, signal);
    if (response.body) {
      yield* readLines<AskEvent>(response.body);
    }
  }

  stop(id: string): Promise<{ stopped: boolean }> {
    return this.post('stop', { id });
  }

  state(): Promise<ConnectionState> {
    return this.get('state');
  }

  health(): Promise<HealthSnapshot> {
    return this.get('health');
  }

  connect(): Promise<ConnectionState> {
    return this.post('connect', { profile: this.profile });
  }

  verify(answer: Answer): Promise<VerificationReport> {
    return this.post('verify', { answer, profile: this.profile });
  }

  verifyNotebook(notebook: unknown): Promise<NotebookReport[]> {
    return this.post('verify-notebook', { notebook, profile: this.profile });
  }

  custody(answer: Answer, passage: number): Promise<Custody> {
    return this.post('custody', { answer, passage, profile: this.profile });
  }

  export(answer: Answer, format: string): Promise<ExportedFile> {
    return this.post('export', { answer, format, profile: this.profile });
  }

  nodes(): Promise<NodeInfo[]> {
    return this.get('nodes');
  }

  overview(): Promise<Overview> {
    return this.get('overview');
  }

  pending(): Promise<PendingRatings> {
    return this.get('ratings');
  }

  rate(answer: Answer, value: number, passage: number | null): Promise<PendingRatings> {
    return this.post('ratings', { answer, value, passage, profile: this.profile });
  }

  withdraw(receipt: string): Promise<PendingRatings> {
    return this.post('ratings/withdraw', { receipt, profile: this.profile });
  }

  /** Put queued ratings on chain; `bond` is the maximum stake in wei, in decimal digits. */
  flush(bond: string): Promise<Transactions> {
    return this.post('ratings/flush', { bond, profile: this.profile });
  }

  localNodes(): Promise<LocalNode[]> {
    return this.get('local-nodes');
  }

  startNode(name: string, folder: string, endpoint: string): Promise<LocalNode> {
    return this.post('local-nodes', { name, folder, endpoint, profile: this.profile });
  }

  syncNode(name: string): Promise<LocalNode> {
    return this.post('local-nodes/sync', { name });
  }

  stopNode(name: string): Promise<LocalNode> {
    return this.post('local-nodes/stop', { name });
  }

  private async get<T>(route: string): Promise<T> {
    const query = URLExt.objectToQueryString({ profile: this.profile });
    const response = await this.request(route + query, { method: 'GET' });
    return response.json();
  }

  private async post<T>(route: string, body: unknown): Promise<T> {
    return (await this.send(route, body)).json();
  }

  private send(route: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    return this.request(route, { method: 'POST', body: JSON.stringify(body), signal });
  }

  private async request(route: string, init: RequestInit): Promise<Response> {
    const url = URLExt.join(this.server.baseUrl, 'knet', route);
    const response = await ServerConnection.makeRequest(url, init, this.server);
    if (!response.ok) {
      const { message } = await response.json().catch(() => ({}));
      throw new Error(typeof message === 'string' ? message : response.statusText);
    }
    return response;
  }
}
