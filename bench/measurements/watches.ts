import { type Latency, load, openHttp1, openSession } from '../support/http-client.ts';
import { type Bench, cpuOf, measureRows, type Row } from '../support/measure.ts';
import { configMap } from '../support/objects.ts';
import { median, number } from '../support/report.ts';
import type { Target } from '../support/server-process.ts';
import { openWatch } from '../support/watch-client.ts';
import { CONFIG_MAPS, json } from './single-objects.ts';

const UPDATES = 500;
const WATCHED_OBJECTS = 50;
const STREAMS_PER_CONNECTION = 50;

interface Crowd {
  /** Each has received that many events, all told. */
  received(events: number): Promise<void>;
  close(): void;
}

/** What an event costs for each watcher of it, on top of the write. */
export async function measureWatches(bench: Bench): Promise<void> {
  const client = openHttp1(bench.server.target, 4);
  const name = (at: number) => `watched-${at % WATCHED_OBJECTS}`;
  await load(client, WATCHED_OBJECTS, 4, (at) => json('POST', CONFIG_MAPS, configMap(name(at))));
  const update = (label: string): Promise<Latency> =>
    load(client, UPDATES, 4, (at) => ({
      method: 'PATCH',
      path: `${CONFIG_MAPS}/${name(at)}`,
      body: JSON.stringify({ data: { change: `${label} ${at}` } }),
      contentType: 'application/merge-patch+json',
    }));
  for (let round = 0; round < 3; round++) await update(`warm-up ${round}`);
  const costs: number[] = [];
  for (let round = 0; round < 5; round++) costs.push(await cpuOf(bench.server, () => update(`alone ${round}`)));
  const alone = median(costs);
  const title = `${UPDATES} updates (latency: of the updates; ${number(alone / UPDATES)} ms CPU each without watchers)`;
  const crowds: Crowd[] = [];
  const row = async (watchers: number, upstream: number): Promise<Row> => {
    const crowd = await openCrowd(bench.server.target, watchers);
    crowds.push(crowd);
    return {
      name: `event to one of ${watchers} watchers`,
      units: watchers * UPDATES,
      rounds: 2,
      async run(round) {
        const latency = await update(`${watchers} watchers ${round}`);
        await crowd.received((round + 1) * UPDATES);
        return latency;
      },
      less: alone,
      against: 'event',
      aim: 0.005,
      upstream,
    };
  };
  for (const [watchers, upstream] of [
    [200, 0.021],
    [1000, 0.013],
  ] as const) {
    await measureRows(bench, title, [await row(watchers, upstream)]);
    crowds.pop()?.close();
  }
  await client.close();
}

async function openCrowd(target: Target, watchers: number): Promise<Crowd> {
  const sessions = Array.from({ length: Math.ceil(watchers / STREAMS_PER_CONNECTION) }, () => openSession(target));
  const client = openHttp1(target, 1);
  const { body } = await client.request({ path: `${CONFIG_MAPS}?limit=1` }, true);
  await client.close();
  const resourceVersion = /"resourceVersion":"(\d+)"/.exec(body)?.[1];
  const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`;
  let wanted = Number.POSITIVE_INFINITY;
  let behind = 0;
  let done: () => void = () => undefined;
  let failed: (error: Error) => void = () => undefined;
  const lines = new Array<number>(watchers).fill(0);
  for (let at = 0; at < watchers; at++) {
    const watch = openWatch(target, path, sessions[at % sessions.length]);
    watch.onError = (error) => failed(error);
    watch.onLines = (count) => {
      const before = lines[at]!;
      lines[at] = count;
      if (before < wanted && count >= wanted && --behind === 0) done();
    };
  }
  // Until all are subscribed.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return {
    received: (events) =>
      new Promise((resolve, reject) => {
        done = resolve;
        failed = reject;
        wanted = events;
        behind = lines.filter((count) => count < wanted).length;
        if (behind === 0) resolve();
      }),
    close() {
      failed = () => undefined;
      for (const session of sessions) session.destroy();
    },
  };
}
