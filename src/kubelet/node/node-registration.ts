import type { Node, NodeStatus, Taint } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { pause } from '../../client/backoff.ts';
import type { Client } from '../../client/client.ts';
import { Nodes } from '../../client/resource-types.gen.ts';
import { messageOf } from '../containers/container-error.ts';

export interface RegistrationOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[] | undefined;
  readonly logger: Logger;
}

/** Creates the Node, or takes the one there is and sets its labels right. Tries until it works or `signal` is aborted. */
export async function registerNode(
  options: RegistrationOptions,
  status: NodeStatus,
  signal: AbortSignal,
): Promise<Node> {
  const nodes = options.client.for(Nodes);
  const labels = {
    'beta.kubernetes.io/arch': options.architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': options.architecture,
    'kubernetes.io/hostname': options.nodeName,
    'kubernetes.io/os': 'linux',
    ...options.labels,
  };
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await nodes.create(
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: {
            name: options.nodeName,
            labels,
            annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
          },
          spec: { ...(options.taints?.length ? { taints: options.taints } : {}) },
          status,
        },
        { signal },
      );
    } catch (error) {
      if (isStatusError(error, 'AlreadyExists')) {
        try {
          return await nodes.patch({ name: options.nodeName }, 'strategic', { metadata: { labels } }, { signal });
        } catch (patchError) {
          if (!isStatusError(patchError, 'NotFound'))
            options.logger.warn({ error: messageOf(patchError) }, 'the node could not be updated');
        }
      } else if (!signal.aborted) options.logger.warn({ error: messageOf(error) }, 'the node could not be registered');
      await pause(Math.min(7000, 100 * 2 ** attempt), signal);
    }
  }
}
