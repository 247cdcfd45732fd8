import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { RuntimeCache } from '../pods/runtime-cache.ts';
import type { Containers } from '../runtime/container-runtime.ts';
import { createLogRotation } from './log-rotation.ts';

const directory = mkdtempSync(join(tmpdir(), 'logs-'));
afterAll(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

it('renames a full log, has the runtime open a new one, and keeps so many', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const logPath = join(directory, '0.log');
  const write = () => writeFileSync(logPath, 'x'.repeat(100));
  const containers = { reopenLog: async () => write() } as unknown as Containers;
  const cache = { list: () => [{ containers: [{ id: 'c', state: 'running', logPath }] }] } as unknown as RuntimeCache;
  write();
  const rotation = createLogRotation({ containers, cache, logger: silentLogger, maxBytes: 50, maxFiles: 3 });
  for (let second = 0; second < 5; second++) {
    vi.setSystemTime(new Date(Date.UTC(2026, 0, 1, 0, 0, second)));
    await rotation.check();
  }
  expect(readdirSync(directory).sort()).toEqual(['0.log', '0.log.20260101-000003.gz', '0.log.20260101-000004']);
});
