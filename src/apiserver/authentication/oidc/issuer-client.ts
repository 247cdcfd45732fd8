import type { Agent } from 'undici';
import type { Issuer } from '../configuration/authentication-configuration.ts';

const TIMEOUT_MS = 8000;
const MAX_BYTES = 1024 * 1024;

/** Fetches JSON documents of one issuer over TLS. */
export class IssuerClient {
  readonly #certificateAuthority: string | undefined;
  #agent: Promise<Agent> | undefined;

  constructor({ certificateAuthority }: Issuer) {
    this.#certificateAuthority = certificateAuthority;
  }

  /** Rejects for an answer that is not 200 and JSON. */
  async get(url: string): Promise<Readonly<Record<string, unknown>>> {
    const text = await this.text(url);
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null) throw new Error(`${url} answered with no JSON object`);
    return document as Record<string, unknown>;
  }

  async text(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const { request } = await import('undici');
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    let reason: unknown;
    try {
      this.#agent ??= this.#connect();
      const { statusCode, body } = await request(url, { dispatcher: await this.#agent, signal, headers });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BYTES) throw new Error('the answer is too large');
        chunks.push(chunk);
      }
      if (statusCode === 200) return Buffer.concat(chunks).toString('utf8');
      reason = `the server answered ${statusCode}`;
    } catch (error) {
      reason = (error as Error).message;
    }
    throw new Error(`Get ${JSON.stringify(url)}: ${reason}`);
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }

  async #connect(): Promise<Agent> {
    const { Agent } = await import('undici');
    return new Agent({
      connections: 2,
      connect: { timeout: TIMEOUT_MS, ...(this.#certificateAuthority ? { ca: this.#certificateAuthority } : {}) },
    });
  }
}
