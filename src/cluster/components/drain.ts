import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { Nodes, Pods } from '../../client/resource-types.gen.ts';
import type { AgentParts } from '../agent-parts.ts';
import type { Connection } from '../connection.ts';
import type { Component } from '../graph/component.ts';
import { nodeUser } from '../identities.ts';

/** Set while a node is cordoned because its agent stopped: its next start takes both away. */
const CORDONED = 'k8ts.dev/cordoned-by-agent';
/** How long pods may take beyond their own grace periods, and at most in all. */
const SLACK_MS = 10_000;
const PATIENCE_MS = 60_000;
const POLL_MS = 200;
const REQUEST_TIMEOUT_MS = 5_000;

/** Phase 5 of an agent: the node takes pods. Its stop comes first, and sends pods that somebody will replace elsewhere away. */
export function drainComponent(parts: AgentParts, requires: readonly string[]): Component {
  const { agent, logger } = parts;
  let connection: Connection | undefined;
  let ready = false;
  return {
    name: 'agent',
    phase: 5,
    requires,
    async start() {
      connection = parts.connect(nodeUser(agent.nodeName), 'k8ts-agent');
      await uncordon(connection.client, agent.nodeName);
      ready = true;
    },
    async stop() {
      if (connection && ready) {
        await drain(connection.client, agent.nodeName).catch((error) =>
          logger.warn(
            { err: error },
            'the node was not drained: its pods end without replacement until the server notices',
          ),
        );
      }
      await connection?.close();
    },
  };
}

async function uncordon(client: Client, name: string): Promise<void> {
  const node = await client.for(Nodes).get({ name });
  if (node.metadata.annotations?.[CORDONED] === undefined) return;
  await client
    .for(Nodes)
    .patch({ name }, 'merge', { metadata: { annotations: { [CORDONED]: null } }, spec: { unschedulable: null } });
}

async function drain(client: Client, name: string): Promise<void> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const node = await client.for(Nodes).get({ name }, { signal: timeout });
  // A node that somebody else has cordoned stays so.
  if (!node.spec?.unschedulable)
    await client
      .for(Nodes)
      .patch(
        { name },
        'merge',
        { metadata: { annotations: { [CORDONED]: 'true' } }, spec: { unschedulable: true } },
        { signal: timeout },
      );
  const list = async () =>
    (
      await client
        .for(Pods)
        .list({ fieldSelector: `spec.nodeName=${name}`, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    ).items;
  const leaving = (await list()).filter(isReplaceable);
  await Promise.all(leaving.map((pod) => remove(client, pod)));
  const uids = new Set(leaving.map(({ metadata }) => metadata.uid));
  const grace = Math.max(0, ...leaving.map(({ spec }) => spec.terminationGracePeriodSeconds ?? 30)) * 1000;
  const deadline = Date.now() + Math.min(grace + SLACK_MS, PATIENCE_MS);
  while (Date.now() < deadline && (await list()).some(({ metadata }) => uids.has(metadata.uid))) await sleep(POLL_MS);
}

/** Pods that a controller makes anew on another node. Those of a DaemonSet, and those that nobody would replace, wait here. */
function isReplaceable({ metadata, status }: Pod): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  return (
    owner !== undefined &&
    owner.kind !== 'DaemonSet' &&
    owner.kind !== 'Node' &&
    status?.phase !== 'Succeeded' &&
    status?.phase !== 'Failed'
  );
}

async function remove(client: Client, { metadata }: Pod): Promise<void> {
  await client
    .for(Pods)
    .delete({ name: metadata.name, namespace: metadata.namespace }, { preconditions: { uid: metadata.uid } })
    .catch((error) => {
      if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
    });
}
