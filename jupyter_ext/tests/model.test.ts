import type { TranslationBundle } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import type { Api } from '../src/model/api';
import { Knet } from '../src/model/model';
import type { IAnswer, IPending, IPulse, IState } from '../src/model/types';

const NONE: IPending = { ratings: [], cost: null, problem: '' };
const STATE = { profile: 'a', profiles: [], detail: '', phases: [], address: '', development: false };

function state(profile: string, now: IState['state'] = 'ready'): IState {
  return { ...STATE, profile, state: now };
}

/** A client of a server that answers as `said` has it, and else that it is ready for whatever profile it is asked of. */
function client(said: Partial<Api>): Knet {
  const api = { profile: 'a' } as Api;
  const now = () => Promise.resolve(state(api.profile));
  const pulse = async (): Promise<IPulse> => ({ state: await now(), nodes: [], own: [], problem: '' });
  Object.assign(api, { state: now, pulse, pending: async () => NONE }, said);
  return new Knet(api, {} as TranslationBundle, { k: 8, ask: null, deadline: 2 });
}

const fails = (message: string) => () => Promise.reject(new Error(message));

describe('sending ratings', () => {
  it('has gone well though what waits cannot be read', async () => {
    const knet = client({ flush: async () => ({ transactions: ['0x1'] }), pending: fails('no answer') });
    const heard: IPending[] = [];
    knet.ratingsChanged.connect((_, pending) => heard.push(pending));
    expect(await knet.flush('0')).toEqual(['0x1']);
    expect(heard).toEqual([{ ratings: [], cost: null, problem: 'no answer' }]);
  });

  it('says why it failed, whether or not what waits can be read', async () => {
    await expect(client({ flush: fails('no gas'), pending: fails('no answer') }).flush('0')).rejects.toThrow('no gas');
    await expect(client({ flush: fails('no gas') }).flush('0')).rejects.toThrow('no gas');
  });
});

describe('turning to another network', () => {
  it('is told at once, and only what holds of it counts as ready', async () => {
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

  it('is not what happens when the server does not answer for a while', async () => {
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

  it('asks again for what was read of the one before', async () => {
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

  it('keeps ratings of the one before to itself', async () => {
    const knet = client({});
    const heard: IPending[] = [];
    knet.ratingsChanged.connect((_, pending) => heard.push(pending));
    knet.api.withdraw = async () => {
      knet.use('b');
      return NONE;
    };
    await knet.withdraw('bafy');
    expect(heard).toEqual([]);
  });
});

it('knows what was found of an answer, in whichever order its fields come', async () => {
  const answer = { question: 'q', text: 't' } as IAnswer;
  const report = { checks: [] };
  const knet = client({ verify: async () => report });
  let told = 0;
  knet.reportsChanged.connect(() => told++);
  expect(knet.reportOn(answer)).toBeNull();
  await knet.verify(answer);
  expect(knet.reportOn({ text: 't', question: 'q' } as IAnswer)).toBe(report);
  expect(knet.reportOn({ text: 'other', question: 'q' } as IAnswer)).toBeNull();
  expect(told).toBe(1);
});
