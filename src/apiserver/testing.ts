import { builtinKinds } from '../api/builtin.ts';
import { createKindRegistry } from '../api/registry.ts';
import { silentLogger } from '../apimachinery/logger.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, type UserInfo } from '../sdk/user.ts';
import { openMemoryStore } from '../store/memory/memory-store.ts';
import type { ApiServerOptions } from './api-server-options.ts';
import { alwaysAllow } from './authorization/system-masters.ts';
import { type ApiServer, createApiServer } from './server.ts';

export interface TestApiServer {
  readonly server: ApiServer;
  /** Of a user who may do everything. */
  readonly transport: Transport;
  readonly client: Client;
  /** Over HTTPS, when `listen` was given: `https://127.0.0.1:PORT`. */
  readonly url: string;
  stop(): Promise<void>;
}

export const TEST_ADMIN: UserInfo = { name: 'test-admin', groups: [SYSTEM_MASTERS, SYSTEM_AUTHENTICATED] };

/**
 * A real API server for tests: memory store, all built-in kinds, everybody allowed everything. Without `listen` it is
 * reached in the process alone; with it, requests over HTTPS are made by TEST_ADMIN.
 */
export async function startTestApiServer(overrides: Partial<ApiServerOptions> = {}): Promise<TestApiServer> {
  const store = overrides.store ?? openMemoryStore();
  const server = createApiServer({
    kinds: createKindRegistry(builtinKinds()),
    logger: silentLogger,
    authentication: () => ({ name: 'test', authenticate: () => ({ user: TEST_ADMIN }) }),
    authorization: () => alwaysAllow,
    advertise: { address: '192.0.2.1', port: 6443 },
    ...overrides,
    store,
  });
  await server.start();
  const transport = server.transport(TEST_ADMIN, 'test');
  return {
    server,
    transport,
    client: createClient(transport),
    url: server.address ? `https://127.0.0.1:${server.address.port}` : '',
    async stop() {
      await server.stop();
      if (!overrides.store) await store.close();
    },
  };
}
