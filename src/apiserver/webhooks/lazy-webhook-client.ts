import type { ObjectReader } from '../object-reader.ts';
import type { WebhookClient } from './webhook-client.ts';

/** One client for all webhooks of a server, loaded when the first is there. */
export class LazyWebhookClient {
  readonly #reader: ObjectReader;
  #client: Promise<WebhookClient> | undefined;

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  get(): Promise<WebhookClient> {
    this.#client ??= import('./webhook-client.ts').then(({ WebhookClient }) => new WebhookClient(this.#reader));
    return this.#client;
  }

  async close(): Promise<void> {
    await (await this.#client)?.close();
  }
}
