import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Logger } from '../apimachinery/logger.ts';
import { LogFile } from './log-file.ts';

const ROTATE_BYTES = 20 * 1024 * 1024;

/** JSON lines in `logs/k8ts.log` of the data directory; the file before is kept as `k8ts.log.1`. */
export function createFileLogger(
  dataDir: string,
  level = process.env.K8TS_LOG_LEVEL ?? 'info',
): Logger & { flush(): void } {
  const file = logFile(dataDir);
  mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  if (existsSync(file) && statSync(file).size > ROTATE_BYTES) renameSync(file, `${file}.1`);
  const destination = new LogFile(file);
  const logger = pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return Object.assign(logger as unknown as Logger, {
    flush: () => destination.flushSync(),
  });
}

export function logFile(dataDir: string): string {
  return join(dataDir, 'logs', 'k8ts.log');
}
