import { join } from 'node:path';
import { createEventRecorder } from '../../client/event-recorder.ts';
import type { Connection } from '../connection.ts';
import type { NodeSite } from '../node-site.ts';

export interface LocalPathPlacement {
  /** The default StorageClass is published by the control plane; agents may not. */
  readonly publishesClass: boolean;
}

/** Local volumes of the nodes of this process. */
export async function startLocalPath(
  site: NodeSite,
  { client, informers }: Connection,
  { publishesClass }: LocalPathPlacement,
): Promise<{ stop(): Promise<void> }> {
  const { createLocalPathAddon, publishLocalPathClass } = await import('../../addons/local-path/local-path-addon.ts');
  const { logger } = site;
  if (publishesClass) await publishLocalPathClass(client);
  const recorder = createEventRecorder({ client, logger, component: 'k8ts.dev/local-path' });
  const created = site.nodes.map((node, number) =>
    createLocalPathAddon({
      client,
      informers,
      recorder,
      logger,
      nodeName: node.name,
      volumesDir: site.runtime === 'simulated' ? undefined : join(node.dataDir!, 'volumes'),
      takesUnassigned: publishesClass && number === 0,
    }),
  );
  await Promise.all(created.map((each) => each.start()));
  return {
    async stop() {
      await Promise.all(created.map((each) => each.stop()));
      await recorder.stop();
    },
  };
}
