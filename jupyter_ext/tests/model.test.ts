import type { TranslationBundle } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import type { Api } from '../src/model/api';
import { Knet } from '../src/model/model';
import type { Answer, ConnectionState, HealthSnapshot, PendingRatings } from '../src/model/types';

const NONE: PendingRatings = { ratings: [], cost: null, problem: '', rated: [] };
const STATE = { profile: 'a', profiles: [], detail: '', phases: [], address: '', development: false };

function state(profile: string, now: ConnectionState['state'] = 'ready'): ConnectionState {
  return { ...STATE, profile, state: now };
}

/** Return a client of a server with the given replies, which is otherwise ready for every profile. */
function client(replies: Partial<Api>): Knet {
  const api = { profile: 'a' } as Api;
  const now = () => Promise.resolve(state(api.profile));
  const health = async (): Promise<HealthSnapshot> => ({ state: await now(), nodes: [], local_nodes: [], problem: '' });
  Object.assign(api, { state: now, health, pending: async () => NONE }, replies);
  return new Knet(api, {} as TranslationBundle, { k: 8, max_nodes: 'auto', node_timeout: 2 });
}

const fails = (message: string) => () => Promise.reject(new Error(message));

describe('sending ratings', () => {
  it('succeeds even if the queue cannot be read', async () => {
    const knet = client({ flush: async () => ({ transactions: ['0x1'] }), pending: fails('no answer') });
    const heard: PendingRatings[] = [];
    knet.ratingsChanged.connect((_, pending) => heard.push(pending));
    expect(await knet.flush('0')).toEqual(['0x1']);
    expect(heard).toEqual([{ ratings: [], cost: null, problem: 'no answer', rated: [] }]);
  });

  it('fails with its own error, with and without a readable queue', async () => {
    await expect(client({ flush: fails('no gas'), pending: fails('no answer') }).flush('0')).rejects.toThrow('no gas');
    await expect(client({ flush: fails('no gas') }).flush('0')).rejects.toThrow('no gas');
  });
});

describe('the selection of another network', () => {
  it('is emitted at once, and is ready after its own state arrives', async () => {
    const knet = client({});
    await knet.refresh();
    const heard: string[] = [];
    knet.profileChanged.connect((_, profile) => heard.push(profile));
    expect(knet.ready).toBe(true);
    knet.use('b');
    expect([heard, knet.ready]).toEqual([['b'], false]);
    await knet.refresh();
    expect([heard, knet.ready]).toEqual([['b'], true]);
  });

  it('does not change while the server does not answer', async () => {
    const knet = client({});
    await knet.refresh();
    const heard: string[] = [];
    knet.profileChanged.connect((_, profile) => heard.push(profile));
    knet.api.state = fails('no server');
    await knet.refresh();
    expect([knet.state, knet.profile, knet.ready]).toEqual([null, 'a', false]);
    knet.api.state = async () => state('a');
    await knet.refresh();
    expect(heard).toEqual([]);
  });

  it('repeats a request for the previous network', async () => {
    const knet = client({});
    let turn = () => knet.use('b');
    knet.api.pending = async () => {
      const problem = knet.api.profile;
      turn();
      turn = () => undefined;
      return { ...NONE, problem };
    };
    expect((await knet.pending()).problem).toBe('b');
  });

  it('drops ratings of the previous network', async () => {
    const knet = client({});
    const heard: PendingRatings[] = [];
    knet.ratingsChanged.connect((_, pending) => heard.push(pending));
    knet.api.withdraw = async () => {
      knet.use('b');
      return NONE;
    };
    await knet.withdraw('bafy');
    expect(heard).toEqual([]);
  });
});

it('finds the report of an answer in any order of its fields', async () => {
  const answer = { question: 'q', text: 't' } as Answer;
  const report = { checks: [] };
  const knet = client({ verify: async () => report });
  let emitted = 0;
  knet.reportsChanged.connect(() => emitted++);
  expect(knet.reportOn(answer)).toBeNull();
  await knet.verify(answer);
  expect(knet.reportOn({ text: 't', question: 'q' } as Answer)).toBe(report);
  expect(knet.reportOn({ text: 'other', question: 'q' } as Answer)).toBeNull();
  expect(emitted).toBe(1);
});
