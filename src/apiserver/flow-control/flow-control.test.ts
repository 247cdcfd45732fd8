import { expect, it } from 'vitest';
import type { FlowSchema } from '../../api/types/flowcontrol.v1.gen.ts';
import type { RequestContext } from '../request/request-context.ts';
import { parseRequestInfo } from '../request/request-info.ts';
import { startTestApiServer } from '../testing.ts';
import { PriorityAndFairness } from './priority-and-fairness.ts';
import { type LevelRequest, PriorityLevel } from './priority-level.ts';
import { RetryAfter } from './retry-after.ts';
import { estimateSeats } from './work-estimate.ts';

const empty = { count: 0, averageBytes: 0 };

function request(user: string): RequestContext {
  const query = new URLSearchParams();
  return {
    user: { name: user, groups: ['system:authenticated'] },
    info: parseRequestInfo('GET', '/api/v1/namespaces/default/pods', query),
    query,
    signal: new AbortController().signal,
  } as unknown as RequestContext;
}

function enter(fairness: PriorityAndFairness, user: string) {
  const context = request(user);
  return fairness.classify(context).enter(context);
}

it('serves others while one client floods, and refuses what is beyond its queues', async () => {
  const server = await startTestApiServer();
  const fairness = new PriorityAndFairness({
    totalSeats: 60,
    queueTimeoutMs: 60_000,
    stored: () => empty,
  });
  fairness.follow(server.server.reader);
  let running = 0;
  let most = 0;
  let refused = 0;
  let floodDone = 0;
  const work = async (user: string) => {
    const release = await enter(fairness, user);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    release();
  };
  const flood = Array.from({ length: 600 }, async () => {
    try {
      await work('flooder');
      floodDone++;
    } catch (error) {
      expect(error).toMatchObject({ code: 429, status: { details: { retryAfterSeconds: 1 } } });
      refused++;
    }
  });
  await Promise.all(Array.from({ length: 5 }, () => work('quiet')));
  // Of the flood's 300 queued requests only a few went first.
  expect(floodDone).toBeLessThan(80);
  await Promise.all(flood);
  // 20 of 245 shares of 60 seats; 6 queues of 50 behind them.
  expect(most).toBe(5);
  expect(refused).toBe(600 - 5 - 300);
  await server.stop();
});

it('creates the configuration at the start', async () => {
  const { transport, stop } = await startTestApiServer();
  const { body } = await transport.request<{ items: FlowSchema[] }>({
    method: 'GET',
    path: '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas',
  });
  expect(body.items).toHaveLength(13);
  await stop();
});

it('refuses at once in a level that does not queue, and serves again when a seat is free', async () => {
  const fairness = new PriorityAndFairness({
    totalSeats: 1,
    queueTimeoutMs: 60_000,
    stored: () => empty,
  });
  const release = await enter(fairness, 'a');
  // Without a server only the mandatory objects are there.
  expect(() => enter(fairness, 'b')).toThrow('Too many requests, please try again later.');
  release();
  (await enter(fairness, 'b'))();
});

it('refuses a request that has waited too long, and keeps its seat for others', async () => {
  const level = new PriorityLevel('narrow', {
    type: 'Limited',
    limited: { limitResponse: { type: 'Queue', queuing: { queues: 4, handSize: 2, queueLengthLimit: 5 } } },
  });
  const waiting = (distinguisher: string): LevelRequest => ({
    context: request('somebody'),
    flowSchema: 'all',
    distinguisher,
    seats: 1,
    arrived: performance.now(),
    queue: undefined,
    started: undefined,
  });
  const got = level.tryEnter(1);
  expect(level.tryEnter(1)).toBe(0);
  expect(await level.wait(waiting('b'), 10)).toBe('time-out');
  const later = level.wait(waiting('c'), 60_000);
  level.leave(got);
  expect(await later).toBe(1);
  expect([level.seats, level.waiting]).toEqual([1, 0]);
});

it('lends idle seats to the level that lacks some, and takes them back', async () => {
  const server = await startTestApiServer();
  const fairness = new PriorityAndFairness({ totalSeats: 600, queueTimeoutMs: 60_000, stored: () => empty });
  fairness.follow(server.server.reader);
  const level = (name: string) => [...fairness.levels()].find((one) => one.name === name)!;
  const limits = () => ['global-default', 'workload-low', 'leader-election'].map((name) => level(name).limit);
  const shares = limits();
  const releases = await Promise.all(Array.from({ length: 49 }, () => enter(fairness, 'busy')));
  const waiting = Array.from({ length: 250 }, () => enter(fairness, 'busy'));
  fairness.adjust();
  fairness.adjust();
  const [busy, idle, keeps] = limits();
  expect(busy).toBeGreaterThan(shares[0]!);
  expect(idle).toBeLessThan(shares[1]!);
  expect(idle).toBeGreaterThanOrEqual(level('workload-low').lower);
  expect(keeps).toBeGreaterThanOrEqual(shares[2]!);
  expect(level('global-default').seats).toBe(Math.min(299, busy!));
  for (const release of releases) release();
  for (const release of await Promise.all(waiting)) release();
  for (let period = 0; period < 50; period++) fairness.adjust();
  expect(level('global-default').limit).toBeLessThan(busy!);
  await server.stop();
});

it.each([
  ['GET', '/api/v1/pods/p', 1],
  ['POST', '/api/v1/namespaces/n/pods', 1],
  ['GET', '/api/v1/pods', 8],
  ['GET', '/api/v1/pods?limit=100', 4],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dp', 1],
  ['GET', '/api/v1/pods?watch=1', 1],
  ['GET', '/api/v1/pods?watch=1&sendInitialEvents=true', 8],
])('%s %s takes %i seats', (method, path, seats) => {
  const url = new URL(path, 'https://api');
  const info = parseRequestInfo(method, url.pathname, url.searchParams);
  expect(estimateSeats(info, url.searchParams, 8, () => ({ count: 1000, averageBytes: 4000 }))).toBe(seats);
});

it('tells clients to stay away longer while many are refused', () => {
  const retry = new RetryAfter();
  const told: number[] = [];
  for (let second = 1; second < 12; second++) {
    for (let i = 0; i < 50; i++) retry.refuse(second);
    told.push(retry.seconds);
  }
  expect(told).toEqual([1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8]);
  retry.refuse(40);
  expect(retry.seconds).toBe(7);
});
