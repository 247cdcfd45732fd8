import { type HttpClient, load, openHttp1, openHttp2 } from './http-client.ts';
import { median } from './report.ts';
import { ServerProcess } from './server-process.ts';

/** What a bare HTTPS server is asked: 1 KB over either protocol, or 40 MB. */
export type Task = 'http1' | 'http2' | 'bulk';

/** Server CPU of the tasks on the machine that the aims were set on, ms; of `bulk` 28 to 57 were seen there. */
export const FLOOR: Readonly<Record<Task, number>> = { http1: 0.018, http2: 0.018, bulk: 42 };

export const BULK_BYTES = 40 * 2 ** 20;
const CALLS = 1500;
const BULK_ROUNDS = 3;

/** The bare server, asked again beside everything that is measured: other work on the machine slows both alike. */
export class Reference {
  readonly #server: ServerProcess;
  readonly #clients: { readonly http1: HttpClient; readonly http2: HttpClient };

  private constructor(server: ServerProcess) {
    this.#server = server;
    this.#clients = { http1: openHttp1(server.target, 16), http2: openHttp2(server.target) };
  }

  static async start(): Promise<Reference> {
    const reference = new Reference(await ServerProcess.start('echo-server'));
    // For nothing: its code is to be compiled as the measured server's is.
    for (const task of ['http1', 'http2', 'bulk', 'http1', 'http2'] as const) await reference.measure(task);
    return reference;
  }

  /** Server CPU of one task, ms. */
  async measure(task: Task): Promise<number> {
    if (task === 'bulk') {
      const rounds: number[] = [];
      for (let round = 0; round < BULK_ROUNDS; round++)
        rounds.push(await this.#cpu(() => this.#clients.http1.request({ path: `/bytes/${BULK_BYTES}` })));
      return median(rounds);
    }
    const concurrency = task === 'http1' ? 16 : 64;
    return (await this.#cpu(() => load(this.#clients[task], CALLS, concurrency, () => ({ path: '/' })))) / CALLS;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#clients.http1.close(), this.#clients.http2.close()]);
    await this.#server.stop();
  }

  async #cpu(run: () => Promise<unknown>): Promise<number> {
    const before = await this.#server.usage();
    await run();
    return (await this.#server.usage()).cpuMs - before.cpuMs;
  }
}
