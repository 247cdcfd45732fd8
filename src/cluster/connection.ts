import type { Logger } from '../apimachinery/logger.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';

/** A client and its informers, of one identity. */
export interface Connection {
  readonly client: Client;
  readonly informers: InformerFactory;
  close(): Promise<void>;
}

export function connect(transport: Transport, logger: Logger): Connection {
  const client = createClient(transport);
  const informers = createInformerFactory(client, { logger });
  return {
    client,
    informers,
    async close() {
      await informers.stop();
      await client.close();
    },
  };
}
