import type { Lease } from '../../api/types/coordination.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { Leases } from '../../client/resource-types.gen.ts';
import { messageOf } from '../containers/container-error.ts';

const NAMESPACE = 'kube-node-lease';
const DURATION_SECONDS = 40;
const RENEW_MS = 10_000;
const RETRY_MS = 1000;

/** The node's heartbeat: a Lease renewed every 10 seconds. */
export function createNodeLease(options: {
  client: Client;
  nodeName: string;
  logger: Logger;
  nodeUid(): string | undefined;
}) {
  const leases = options.client.for(Leases);
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let latest: Lease | undefined;

  function draftLease(): Lease {
    const uid = options.nodeUid();
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...latest?.metadata,
        name: options.nodeName,
        namespace: NAMESPACE,
        ...(uid ? { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: options.nodeName, uid }] } : {}),
      },
      spec: {
        ...latest?.spec,
        holderIdentity: options.nodeName,
        leaseDurationSeconds: DURATION_SECONDS,
        renewTime: microTime(Date.now()),
      },
    };
  }

  async function renew(): Promise<void> {
    try {
      if (latest) latest = await leases.update(draftLease(), { signal: abort.signal });
      else latest = await leases.create(draftLease(), { signal: abort.signal });
    } catch (error) {
      latest = undefined;
      if (isStatusError(error, 'AlreadyExists') || isStatusError(error, 'Conflict')) {
        latest = await leases.get({ namespace: NAMESPACE, name: options.nodeName }, { signal: abort.signal });
        latest = await leases.update(draftLease(), { signal: abort.signal });
      } else throw error;
    }
  }

  async function tick(): Promise<void> {
    let wait = RENEW_MS;
    try {
      await renew();
    } catch (error) {
      wait = RETRY_MS;
      if (!abort.signal.aborted)
        options.logger.debug({ error: messageOf(error) }, 'the node lease could not be renewed');
    }
    if (abort.signal.aborted) return;
    timer = setTimeout(() => void tick(), wait);
    timer.unref();
  }

  return {
    start() {
      void tick();
    },
    stop() {
      abort.abort();
      clearTimeout(timer);
    },
  };
}

/** `metav1.MicroTime`. */
const microTime = (ms: number) => new Date(ms).toISOString().replace(/Z$/, '000Z');
