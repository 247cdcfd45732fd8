import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a server listens and how to be somebody there. PEM. */
export interface Target {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What a process has used so far. */
export interface Usage {
  /** User and system time of all threads (collection of garbage and compilation included), ms. */
  readonly cpuMs: number;
  readonly rssMB: number;
  /** Resident memory that is not a file's, MB; the datastore's mapped pages are the kernel's to take back. */
  readonly ownMB: number;
  /** JavaScript heap in use. */
  readonly heapMB: number;
  /** Buffers in use, outside the heap. */
  readonly buffersMB: number;
}

/** A server in a process of its own, with a control channel. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly target: Target;

  private constructor(child: ChildProcess, target: Target) {
    this.#child = child;
    this.target = target;
  }

  /** `module`: a bundle beside this one that calls `serveControl`. */
  static async start(module: string, options: object = {}, execArgv: readonly string[] = []): Promise<ServerProcess> {
    const path = fileURLToPath(new URL(`./${module}.mjs`, import.meta.url));
    const child = fork(path, [JSON.stringify(options)], { execArgv: [...execArgv] });
    const [target] = await Promise.race([
      once(child, 'message') as Promise<[Target]>,
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${module} ended with ${code}`))),
    ]);
    return new ServerProcess(child, target);
  }

  async usage(): Promise<Usage> {
    const answer = once(this.#child, 'message') as Promise<[Usage]>;
    this.#child.send('usage');
    return (await answer)[0];
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.send('stop');
    await exited;
  }
}

/** The server's side of the channel: says where it listens, then answers until it is told to stop. */
export function serveControl(target: Target, stop: () => Promise<void>): void {
  process.on('message', (message) => {
    if (message === 'usage') process.send?.(usage());
    else stop().then(() => process.exit(0));
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(target);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    cpuMs: (user + system) / 1000,
    rssMB: rss / 2 ** 20,
    ownMB: ownMemory() ?? rss / 2 ** 20,
    heapMB: heapUsed / 2 ** 20,
    buffersMB: arrayBuffers / 2 ** 20,
  };
}

function ownMemory(): number | undefined {
  try {
    const kB = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return kB === undefined ? undefined : Number(kB) / 1024;
  } catch {
    return undefined; // not Linux
  }
}
