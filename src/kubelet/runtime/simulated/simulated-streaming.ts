import { Duplex, type Writable } from 'node:stream';
import type { PortForwardSession, Streaming, StreamSession } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { ContainerRecord, Records, SandboxRecord } from './records.ts';
import { logEntries, untilExit } from './simulated-logs.ts';

/** What a command prints in a container that has no process to run it. */
export const commandOutput = (container: ContainerRecord, command: readonly string[]): string =>
  `simulated container ${container.name} would run: ${command.join(' ')}\n`;

/** `closeStdin` ends a container that lives as long as its standard input. */
export function createSimulatedStreaming(
  records: Records,
  closeStdin: (container: ContainerRecord) => void,
): Streaming {
  const running = (id: string) => {
    const container = records.container(id);
    if (container.state !== 'running') throw new RuntimeError('FailedPrecondition', `container ${id} is not running`);
    return container;
  };
  return {
    async exec(id, command, { tty }): Promise<StreamSession> {
      const container = running(id);
      return {
        kind: 'local',
        async run({ stdin, stdout }) {
          stdin?.resume();
          await write(stdout, commandOutput(container, command), tty);
          return { exitCode: 0 };
        },
      };
    },
    async attach(id, { tty }): Promise<StreamSession> {
      const container = running(id);
      return {
        kind: 'local',
        /** Shows the log, echoes what is typed, and ends with the container. */
        async run({ stdin, stdout, signal }) {
          const ended = new AbortController();
          const either = AbortSignal.any([signal, ended.signal]);
          const before = logEntries(container);
          for (const { text } of before) await write(stdout, `${text}\n`, tty);
          stdin?.on('data', (chunk: Uint8Array) => void write(stdout, chunk, tty));
          stdin?.once('end', () => {
            if (container.stdinOnce) closeStdin(container);
          });
          await untilExit(container, either);
          ended.abort();
          if (!signal.aborted)
            for (const { text } of logEntries(container).slice(before.length)) await write(stdout, `${text}\n`, tty);
          return { exitCode: container.state === 'exited' ? container.exitCode : 0 };
        },
      };
    },
    async portForward(sandboxId): Promise<PortForwardSession> {
      const sandbox = records.sandbox(sandboxId);
      if (sandbox.state !== 'ready')
        throw new RuntimeError('FailedPrecondition', `sandbox container ${sandboxId} is not running`);
      return { kind: 'local', connect: async (port) => textServer(sandbox, port) };
    },
  };
}

async function write(stream: Writable | undefined, data: string | Uint8Array, tty: boolean): Promise<void> {
  if (!stream || stream.destroyed || stream.writableEnded) return;
  const bytes = tty && typeof data === 'string' ? data.replaceAll('\n', '\r\n') : data;
  await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
}

/** Speaks just enough HTTP to say what it is: one answer per connection. */
function textServer({ metadata }: SandboxRecord, port: number): Duplex {
  const text = `simulated pod ${metadata.namespace}/${metadata.name}, port ${port}\n`;
  const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
  let asked = '';
  let answered = false;
  return new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (!answered) {
        asked = (asked + chunk.toString('latin1')).slice(-8192);
        if (asked.includes('\r\n\r\n')) {
          answered = true;
          this.push(answer);
          this.push(null);
        }
      }
      done();
    },
    final(done) {
      if (!answered) this.push(null);
      done();
    },
  });
}
