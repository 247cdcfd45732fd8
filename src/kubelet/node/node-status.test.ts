import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Node } from '../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { createNodeStatusReporter } from './node-status.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells its status again when it was taken for lost, and only then', async () => {
  let readyAtServer = 'True';
  const told: unknown[] = [];
  const client = { for: () => ({ patch: async (...args: unknown[]) => void told.push(args[2]) }) } as unknown as Client;
  const runtime = {
    status: async () => ({ conditions: [], handlers: [] }),
    images: { list: async () => [] },
  } as unknown as ContainerRuntime;
  const reporter = createNodeStatusReporter({
    client,
    runtime,
    runtimeInfo: { name: 'simulated', version: '1' } as never,
    nodeName: 'n1',
    nodeIPs: ['10.0.0.1'],
    port: 10250,
    machine: { cpus: 1, memoryBytes: 1, architecture: 'amd64' },
    resources: { capacity: {}, allocatable: {} } as never,
    logger: silentLogger,
    cacheHealthy: () => true,
    node: () =>
      ({
        metadata: { name: 'n1' },
        status: { conditions: [{ type: 'Ready', status: readyAtServer }] },
      }) as unknown as Node,
  });
  reporter.start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(told).toHaveLength(1);
  readyAtServer = 'Unknown';
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told).toHaveLength(2);
  readyAtServer = 'True';
  await vi.advanceTimersByTimeAsync(30_000);
  expect(told).toHaveLength(2);
  reporter.stop();
});
