/** The server's side of knet: every call there is. Keys stay there. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type {
  IAnswer,
  IAskEvent,
  IAsked,
  ICustody,
  IFile,
  ILandscape,
  INodeInfo,
  INotebookReport,
  IOwnNode,
  IPending,
  IPulse,
  IReport,
  IState
} from './types';
import { readLines } from './ndjson';

export class Api {
  constructor(
    private readonly server: ServerConnection.ISettings,
    public profile = ''
  ) {}

  /** Ask; what happens comes as it happens. Giving the loop up, or `signal`, withdraws the question. */
  async *ask(asked: IAsked, signal: AbortSignal): AsyncGenerator<IAskEvent> {
    const response = await this.send('ask', { ...asked, profile: this.profile }, signal);
    if (response.body) {
      yield* readLines<IAskEvent>(response.body);
    }
  }

  stop(id: string): Promise<{ stopped: boolean }> {
    return this.post('stop', { id });
  }

  state(): Promise<IState> {
    return this.get('state');
  }

  pulse(): Promise<IPulse> {
    return this.get('pulse');
  }

  connect(): Promise<IState> {
    return this.post('connect', { profile: this.profile });
  }

  verify(answer: IAnswer): Promise<IReport> {
    return this.post('verify', { answer, profile: this.profile });
  }

  verifyNotebook(notebook: unknown): Promise<INotebookReport[]> {
    return this.post('verify-notebook', { notebook, profile: this.profile });
  }

  custody(answer: IAnswer, passage: number): Promise<ICustody> {
    return this.post('custody', { answer, passage, profile: this.profile });
  }

  export(answer: IAnswer, format: string): Promise<IFile> {
    return this.post('export', { answer, format, profile: this.profile });
  }

  nodes(): Promise<INodeInfo[]> {
    return this.get('nodes');
  }

  landscape(): Promise<ILandscape> {
    return this.get('landscape');
  }

  pending(): Promise<IPending> {
    return this.get('ratings');
  }

  rate(answer: IAnswer, value: number, passage: number | null): Promise<IPending> {
    return this.post('ratings', { answer, value, passage, profile: this.profile });
  }

  withdraw(receipt: string): Promise<IPending> {
    return this.post('ratings/withdraw', { receipt, profile: this.profile });
  }

  /** `bond` is the most wei that may be put at stake, in digits. */
  flush(bond: string): Promise<{ transactions: string[] }> {
    return this.post('ratings/flush', { bond, profile: this.profile });
  }

  ownNodes(): Promise<IOwnNode[]> {
    return this.get('own');
  }

  startNode(name: string, folder: string, endpoint: string): Promise<IOwnNode> {
    return this.post('own', { name, folder, endpoint, profile: this.profile });
  }

  syncNode(name: string): Promise<IOwnNode> {
    return this.post('own/sync', { name });
  }

  stopNode(name: string): Promise<IOwnNode> {
    return this.post('own/stop', { name });
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
      const said = await response.json().catch(() => ({}));
      throw new Error(typeof said.message === 'string' ? said.message : response.statusText);
    }
    return response;
  }
}
