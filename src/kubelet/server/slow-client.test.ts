import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { createSimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { newPod } from '../testing/kubelet-on-fake-api.ts';
import { type ApiWithNode, startApiWithNode } from './testing/api-with-node.ts';

const BIG_BYTES = 200 * 1024 * 1024;
/** What pipes, sockets, TLS and streams of two servers and kubectl may hold. */
const BOUND_BYTES = 48 * 1024 * 1024;
/** More than the pipe to kubectl takes by itself. */
const MOVING_BYTES = 512 * 1024;
const CHUNK = Buffer.alloc(128 * 1024, 'x');

/** 1.27 speaks SPDY, 1.36 WebSocket. */
describe.each(['1.36', '1.27'] as const)('a slow end of a command, for kubectl %s', (version) => {
  let cluster: ApiWithNode;
  let written = 0;

  beforeAll(async () => {
    const simulated = createSimulatedRuntime({});
    const runtime: ContainerRuntime = {
      ...simulated,
      streaming: {
        ...simulated.streaming,
        exec: async (_id, [command]) => ({
          kind: 'local',
          async run({ stdin, stdout, signal }) {
            if (command === 'pour') await pour(stdout as Writable, signal);
            // It never reads what it is sent.
            else await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
            (stdin as Readable | undefined)?.destroy();
            return { exitCode: 0 };
          },
        }),
      },
    };
    cluster = await startApiWithNode(runtime);
  });
  afterAll(() => cluster?.stop());

  async function pour(stdout: Writable, signal: AbortSignal): Promise<void> {
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    for (written = 0; written < BIG_BYTES && !signal.aborted; written += CHUNK.length)
      await Promise.race([gone, new Promise<void>((resolve) => stdout.write(CHUNK, () => resolve()))]);
  }

  /** Resolves when the session has begun and it does not grow any more. */
  async function settled(bytes: () => number): Promise<number> {
    let last = -1;
    for (let quiet = 0; quiet < 5; quiet = bytes() === last && last > MOVING_BYTES ? quiet + 1 : 0) {
      last = bytes();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return last;
  }

  it('stops the command while nobody reads its output', { timeout: 30_000 }, async () => {
    await cluster.run(newPod('pouring', ''));
    const child = await cluster.spawn(version, ['exec', 'pouring', '--', 'pour']);
    expect(await settled(() => written)).toBeLessThan(BOUND_BYTES);
    let received = 0;
    child.stdout!.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received > BOUND_BYTES) child.kill();
    });
    await new Promise((resolve) => child.once('close', resolve));
    // It went on where it was.
    expect(received).toBeGreaterThan(BOUND_BYTES);
  });

  it('stops the client while the command does not read its input', { timeout: 30_000 }, async () => {
    await cluster.run(newPod('sleeping', ''));
    const child = await cluster.spawn(version, ['exec', '-i', 'sleeping', '--', 'sleep']);
    let taken = 0;
    child.stdin!.on('error', () => undefined);
    const feed = () => {
      while (taken < BIG_BYTES) {
        taken += CHUNK.length;
        if (!child.stdin!.write(CHUNK)) return void child.stdin!.once('drain', feed);
      }
    };
    feed();
    expect(await settled(() => taken)).toBeLessThan(BOUND_BYTES);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  });
});
