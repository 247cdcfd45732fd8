import { type Logger, silentLogger } from '../../../apimachinery/logger.ts';
import type { KubeObject, UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Client, ResourceType } from '../../../client/client.ts';
import { createClient } from '../../../client/create-client.ts';
import { silentRecorder } from '../../../client/event-recorder.ts';
import { createInformerFactory } from '../../../client/informer-factory.ts';
import { createFakeTransport, type FakeTransport } from '../../../client/testing/fake-transport.ts';
import type { ControllerDefinition } from '../controller.ts';
import { type ControllerManager, createControllerManager } from '../controller-manager.ts';

export interface ControllerHarness {
  readonly api: FakeTransport;
  readonly client: Client;
  readonly manager: ControllerManager;
  /** Reasons and messages of the events recorded: `Warning FailedCreate Error creating: ...`. */
  readonly events: readonly string[];
  /** Polls until `check` gives something else than undefined or false, or throws after `timeoutMs` (2,000). */
  eventually<T>(check: () => T | undefined | false | Promise<T | undefined | false>, timeoutMs?: number): Promise<T>;
  stop(): Promise<void>;
}

/** Runs controllers against a fake API. */
export async function runControllers(
  controllers: readonly ControllerDefinition[],
  options: {
    readonly objects?: readonly (KubeObject | UnstructuredObject)[];
    readonly types?: readonly ResourceType<KubeObject>[];
    readonly now?: () => number;
    readonly logger?: Logger;
  } = {},
): Promise<ControllerHarness> {
  const logger = options.logger ?? silentLogger;
  const api = createFakeTransport(options);
  const client = createClient(api);
  const informers = createInformerFactory(client, { logger });
  const events: string[] = [];
  const manager = createControllerManager({
    client,
    informers,
    controllers,
    logger,
    now: options.now,
    events: {
      ...silentRecorder,
      event: (_object, type, reason, message) => events.push(`${type} ${reason} ${message}`),
    },
  });
  await manager.start();
  return {
    api,
    client,
    manager,
    events,
    async eventually(check, timeoutMs = 2_000) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const value = await check();
        if (value !== undefined && value !== false) return value;
        if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${check}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async stop() {
      await manager.stop();
      await informers.stop();
      await client.close();
    },
  };
}
