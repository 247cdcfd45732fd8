import { type HttpClient, load, openHttp1, openHttp2, openSession } from './http-client.ts';
import { ServerProcess } from './server-process.ts';
import { openWatch } from './watch-client.ts';

/** What a bare HTTPS server is asked: 1 KB over either protocol, 40 MB, or 1 KB more on streams that are open. */
export type Task = 'http1' | 'http2' | 'bulk' | 'event';

/** Server CPU of the tasks on the machine that the aims were set on, ms; of `bulk` 28 to 57 were seen there. */
export const FLOOR: Readonly<Record<Task, number>> = { http1: 0.018, http2: 0.018, bulk: 42, event: Number.NaN };

export const BULK_BYTES = 40 * 2 ** 20;
const CALLS = 1000;
const STREAMS = 100;
const EVENTS = 100;
const STREAMS_PER_CONNECTION = 50;

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
    for (let round = 0; round < 6; round++)
      for (const task of ['http1', 'http2'] as const) await reference.measure(task);
    for (const task of ['bulk', 'event', 'event'] as const) await reference.measure(task);
    return reference;
  }

  /** Server CPU of one task, ms. */
  async measure(task: Task): Promise<number> {
    if (task === 'bulk') return this.#cpu(() => this.#clients.http1.request({ path: `/bytes/${BULK_BYTES}` }));
    if (task === 'event') return (await this.#cpu(() => this.#events())) / (STREAMS * EVENTS);
    const concurrency = task === 'http1' ? 16 : 64;
    return (await this.#cpu(() => load(this.#clients[task], CALLS, concurrency, () => ({ path: '/' })))) / CALLS;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#clients.http1.close(), this.#clients.http2.close()]);
    await this.#server.stop();
  }

  async #events(): Promise<void> {
    const { target } = this.#server;
    const sessions = Array.from({ length: STREAMS / STREAMS_PER_CONNECTION }, () => openSession(target));
    await Promise.all(
      Array.from({ length: STREAMS }, (_, at) => {
        const stream = openWatch(target, `/events/${STREAMS}/${EVENTS}`, sessions[at % sessions.length]);
        return new Promise<void>((resolve, reject) => {
          stream.onLines = (lines) => void (lines >= EVENTS && resolve());
          stream.onError = reject;
        });
      }),
    );
    for (const session of sessions) session.destroy();
  }

  async #cpu(run: () => Promise<unknown>): Promise<number> {
    const before = await this.#server.usage();
    await run();
    return (await this.#server.usage()).cpuMs - before.cpuMs;
  }
}
