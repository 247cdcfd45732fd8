import type { Readable, Writable } from 'node:stream';
import type { StreamOptions, TerminalSize } from '../../runtime/container-runtime.ts';
import type { ExitStatus } from './exit-status.ts';

/** Exec or attach as the client asked for it. */
export interface RemoteCommandRequest extends StreamOptions {
  readonly command: readonly string[];
}

/** The client's end of exec or attach, whatever protocol it speaks. Absent streams were not asked for. */
export interface RemoteCommandClient {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly resize?: AsyncIterable<TerminalSize>;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Tells how it ended, after all output has been sent, and ends the connection. */
  finish(status: ExitStatus): Promise<void>;
}

/** Of the kubelet's own API. Throws an Error with the words of the 400. */
export function remoteCommandRequest(query: URLSearchParams): RemoteCommandRequest {
  const asked = (name: string) => ['1', 'true'].includes(query.get(name) ?? '');
  const tty = asked('tty');
  const stdin = asked('input') || asked('stdin');
  const stdout = asked('output') || asked('stdout');
  // With a terminal all output is one stream.
  const stderr = (asked('error') || asked('stderr')) && !tty;
  if (!stdin && !stdout && !stderr) throw new Error('you must specify at least 1 of stdin, stdout, stderr');
  return { stdin, stdout, stderr, tty, command: query.getAll('command') };
}

/** Terminal sizes as they come; only the newest counts. */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  /** `json` is `{"Width":80,"Height":24}`; anything else is ignored. */
  receive(json: string): void {
    try {
      const { Width, Height } = JSON.parse(json) as { Width?: unknown; Height?: unknown };
      if (typeof Width === 'number' && typeof Height === 'number') this.#latest = { width: Width, height: Height };
      this.#wake?.();
    } catch {
      // not a size
    }
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize> {
    while (true) {
      const size = this.#latest;
      this.#latest = undefined;
      if (size) yield size;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
