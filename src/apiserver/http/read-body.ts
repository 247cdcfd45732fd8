import type { Readable } from 'node:stream';
import { badRequest, entityTooLarge } from '../../apimachinery/status-error.ts';

/** Collects a request body. Beyond `limit` bytes it stops reading and throws StatusError 413. */
export function readBody(input: Readable, contentLength: string | undefined, limit: number): Promise<Buffer> {
  if (contentLength !== undefined && Number(contentLength) > limit) {
    input.resume();
    return Promise.reject(entityTooLarge(limit));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    input.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else {
        chunks.length = 0;
        reject(entityTooLarge(limit));
      }
    });
    input.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    input.on('error', () => reject(badRequest('the request body could not be read')));
    input.on('close', () => {
      if (!input.readableEnded) reject(badRequest('the request body ended too soon'));
    });
  });
}
