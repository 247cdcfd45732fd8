import type { ClientHttp2Session } from 'node:http2';
import { openSession } from './http-client.ts';
import type { Target } from './server-process.ts';

export interface OpenWatch {
  /** Told how many lines have come so far. */
  onLines: (count: number) => void;
  onError: (error: Error) => void;
  close(): void;
}

/** A stream of lines over `session`, or over one of its own that ends with it. */
export function openWatch(target: Target, path: string, session?: ClientHttp2Session): OpenWatch {
  const connection = session ?? openSession(target);
  const stream = connection.request({ ':path': path, accept: 'application/json', 'user-agent': 'k8ts-bench/1' });
  const close = () => (session ? stream.close() : connection.destroy());
  const watch: OpenWatch = { onLines() {}, onError() {}, close };
  let lines = 0;
  stream.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    watch.onLines(lines);
  });
  stream.on('error', (error: Error) => watch.onError(error));
  stream.end();
  return watch;
}
