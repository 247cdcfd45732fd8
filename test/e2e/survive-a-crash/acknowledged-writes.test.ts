import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { clusterUp, k8ts, type RunningCluster } from '../../support/k8ts.ts';

const OBJECTS = 1000;
const CONNECTIONS = 32;
const PATH = '/api/v1/namespaces/default/configmaps';

interface ConfigMap {
  metadata: { name: string; uid: string; resourceVersion: string };
  data: { content: string; sum: string };
}

/** Content that tells whether all of it is there. */
function contentOf(name: string): { content: string; sum: string } {
  const content = `${name} `.repeat(1 + (Number(name.replace(/\D/g, '')) % 200));
  return { content, sum: createHash('sha256').update(content).digest('hex') };
}

/** Calls the API server directly: the answer that arrived is the acknowledgement. */
function apiOf({ kubeconfig, addresses }: RunningCluster) {
  const text = readFileSync(kubeconfig, 'utf8');
  const field = (name: string) => Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)![1]!, 'base64');
  const agent = new Agent({
    keepAlive: true,
    maxSockets: CONNECTIONS,
    ca: field('certificate-authority-data'),
    cert: field('client-certificate-data'),
    key: field('client-key-data'),
  });
  const call = (method: string, path: string, body?: object) =>
    new Promise<{ status: number; body: unknown }>((resolve, reject) => {
      const sent = request(
        `${addresses.apiserver}${path}`,
        { method, agent, headers: { 'content-type': 'application/json' } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            if (!response.complete) return reject(new Error('the answer was cut off'));
            resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  return { call, close: () => agent.destroy() };
}

describe('kill -9 during creates', () => {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'k8ts-writes-')), 'data');
  const acknowledged = new Map<string, ConfigMap>();
  let cluster: RunningCluster;
  const up = async () => {
    cluster = await clusterUp(dataDir, ['--runtime', 'simulated', '--nodes', '0', '--datastore', 'lmdb']);
  };

  afterAll(async () => {
    await k8ts(['down', '--purge', '--data-dir', dataDir]);
    rmSync(join(dataDir, '..'), { recursive: true, force: true });
  });

  /** Kills after so many acknowledgements; returns how many there were when the last connection broke. */
  async function createUntilKilled(round: number, killAfter: number): Promise<number> {
    const { call, close } = apiOf(cluster);
    let next = 0;
    let count = 0;
    const worker = async () => {
      while (next < OBJECTS) {
        const name = `round-${round}-${next++}`;
        try {
          const answer = await call('POST', PATH, { metadata: { name }, data: contentOf(name) });
          expect(answer.status).toBe(201);
          acknowledged.set(name, answer.body as ConfigMap);
          count++;
        } catch (error) {
          if (count < killAfter) throw error;
          return;
        }
        if (count === killAfter) process.kill(cluster.pid, 'SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    close();
    return count;
  }

  it.each([1, 2, 3])('loses no acknowledged object and leaves none half there (round %i)', async (round) => {
    if (round === 1) await up();
    const killAfter = 1 + Math.floor(Math.random() * (OBJECTS * 0.9));
    const count = await createUntilKilled(round, killAfter);
    expect(count).toBeGreaterThanOrEqual(killAfter);
    expect(count, 'the kill came too late to interrupt anything').toBeLessThan(OBJECTS);
    await up();
    const { call, close } = apiOf(cluster);
    const list = (await call('GET', PATH)).body as { metadata: { resourceVersion: string }; items: ConfigMap[] };
    const found = new Map(list.items.map((item) => [item.metadata.name, item]));
    found.delete('kube-root-ca.crt');
    const lost = [...acknowledged].filter(
      ([name, { metadata }]) =>
        found.get(name)?.metadata.uid !== metadata.uid ||
        found.get(name)?.metadata.resourceVersion !== metadata.resourceVersion,
    );
    expect(lost, `killed after ${killAfter} of ${OBJECTS}`).toEqual([]);
    for (const [name, item] of found) expect(item.data).toEqual(contentOf(name));
    const newest = Math.max(...[...found.values()].map((item) => Number(item.metadata.resourceVersion)));
    expect(Number(list.metadata.resourceVersion)).toBeGreaterThanOrEqual(newest);
    // What was cut off is created now, what was acknowledged is there.
    const names = Array.from({ length: OBJECTS }, (_, n) => `round-${round}-${n}`);
    const again = await Promise.all(
      [
        ...names.filter((name) => found.has(name)).slice(-50),
        ...names.filter((name) => !found.has(name)).slice(0, 50),
      ].map(async (name) => {
        const { status } = await call('POST', PATH, { metadata: { name }, data: contentOf(name) });
        return status === (found.has(name) ? 409 : 201);
      }),
    );
    expect(again.every(Boolean)).toBe(true);
    close();
  });
});
