/** The records of `knet.records` as their JSON reads. All of it comes from strangers: show it as text alone. */

export interface IReputation {
  positive: number;
  negative: number;
  count: number;
}

export interface IProvenance {
  node: number;
  manifest: string;
  document: string;
  shard: number;
  chunk: number;
  path: string[];
  vector: string;
  receipt: number | null;
}

export interface IPassage {
  text: string;
  start: number;
  end: number;
  title: string;
  uri: string;
  score: number;
  scores: { [retriever: string]: number };
  reliability: IReputation;
  provenance: IProvenance;
  licence: string;
  sources: number[];
}

export interface ICitation {
  passage: number;
  start: number;
  end: number;
  exact: string;
}

export interface ISentence {
  text: string;
  citations: ICitation[];
}

export interface INodeStatus {
  node: number;
  title: string;
  status: string;
  hits: number;
  milliseconds: number;
  detail: string;
  why: string;
}

export interface IAnswer {
  type: string;
  question: string;
  found: boolean;
  text: string;
  sentences: ISentence[];
  passages: IPassage[];
  nodes: INodeStatus[];
  time: number;
  milliseconds: number;
  private: boolean;
  writer: string;
  problem: string;
}

/** The kinds of claims that the panels tell apart; there are more. */
export type CheckKind =
  'receipt' | 'covered' | 'on_chain' | 'in_manifest' | 'exact_text' | 'similarity' | 'text_vector' | 'citation';

export interface ICheck {
  kind: CheckKind;
  claim: string;
  subject: string;
  ok: boolean | null;
  detail: string;
  passage: number | null;
  sentence: number | null;
  receipt: number | null;
  node: number | null;
}

export interface IReport {
  checks: ICheck[];
}

/** `cell` counts from 0. */
export interface INotebookReport extends IReport {
  cell: number;
  question: string;
}

export interface IPhase {
  title: string;
  phase: string;
  done: number;
  total: number;
}

/** One line of the stream that a question gives; `event` says which of the other fields it has. */
export interface IAskEvent {
  event: 'started' | 'phase' | 'asking' | 'node' | 'answer' | 'stopped' | 'error';
  id?: string;
  phase?: IPhase;
  nodes?: INodeStatus[];
  node?: INodeStatus;
  answer?: IAnswer;
  text?: string;
  html?: string;
  message?: string;
}

/** What was asked of whom; the names are those of `knet.ask`. */
export interface IAsked {
  question: string;
  k: number;
  ask: number | null;
  nodes: number[];
  private: boolean;
  min_reliability: number;
  deadline: number;
}

/** An answer with what the server said about it, ready to be put into a notebook. */
export interface IAnswered {
  asked: IAsked;
  profile: string; // of the network that was asked
  answer: IAnswer;
  id: string;
  text: string;
  html: string;
}

export interface IState {
  profile: string;
  profiles: string[];
  state: 'off' | 'starting' | 'ready' | 'failed';
  detail: string;
  phases: IPhase[];
  address: string;
  development: boolean;
}

export interface INodeInfo {
  node: number;
  title: string;
  description: string;
  endpoint: string;
  documents: number;
  chunks: number;
  sequence: number;
  reliability: number;
  deviation: number;
  ratings: number;
  problem: string;
}

export interface INodeHealth {
  node: number;
  title: string;
  state: 'up' | 'behind' | 'down' | 'unusable';
  milliseconds: number;
  sequence: number;
  published: number; // unix seconds, 0 unknown
  searches: number | null; // since it was started; null where it does not say
  problem: string;
  advice: string;
}

/** How everything is at this moment. */
export interface IPulse {
  state: IState;
  nodes: INodeHealth[];
  own: IOwnNode[];
  problem: string;
}

export interface ICustody {
  passage: number;
  node: number;
  title: string;
  owner: string;
  endpoint: string;
  chain_id: number;
  registry: string;
  span: { start: number; end: number; exact: string; before: string; after: string; problem: string };
  held: {
    document: string;
    uri: string;
    title: string;
    licence: string;
    manifest: string;
    shard: number;
    chunk: number;
    proof: number;
  };
  published: {
    transaction: string;
    block: number;
    time: number;
    sequence: number;
    newest: boolean;
    problem: string;
  };
  signed: { signer: string; issued_at: number; results: string; signature: string; problem: string };
}

export interface IRegion {
  node: number;
  x: number;
  y: number;
  topics: { x: number; y: number; weight: number }[];
}

export interface IMoment {
  time: number;
  mean: number;
  deviation: number;
  ratings: number;
}

export interface IRated {
  node: number;
  positive: number;
  negative: number;
  count: number;
  trust: number;
  why: string;
}

export interface ILandscape {
  maps: { model: string; explained: number; regions: IRegion[] }[];
  history: { [node: string]: IMoment[] };
  rated: IRated[];
}

export interface ICost {
  ratings: number;
  nodes: number;
  gas: number;
  fee: number;
  bond: number;
  bonded: number;
}

export interface IPending {
  ratings: { node: number; value: number; receipt: string }[];
  cost: ICost | null;
  problem: string; // why it is not known what sending them costs, or which there are
}

export interface IOwnNode {
  name: string;
  sources: string[];
  profile: string;
  state: 'off' | 'starting' | 'serving' | 'syncing' | 'stopping' | 'failed' | 'elsewhere';
  phase: string;
  done: number;
  total: number;
  detail: string;
  endpoint: string;
}

export interface IFile {
  name: string;
  media_type: string;
  base64: string;
}
