import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { createClient } from '../../client/create-client.ts';
import { createHttpTransport } from '../../client/http-transport.ts';
import { Nodes } from '../../client/resource-types.gen.ts';
import type { AgentParts } from '../agent-parts.ts';
import type { Component } from '../graph/component.ts';
import { caPinOf, type JoinToken, parseJoinToken } from '../join/join-token.ts';
import { NodeCertificates } from '../join/node-certificates.ts';
import { readNodeSettings } from '../join/node-settings.ts';
import { fetchClusterCa, patiently, serverAddress } from '../join/server-connection.ts';
import { KeyFiles } from '../pki/key-files.ts';

const RENEWAL_MS = 3_600_000;
const LEAVE_TIMEOUT_MS = 3_000;

/**
 * Makes this host a node of the server's cluster: trusts the CA that the token pins, asks for a certificate with the bootstrap
 * token, and is `system:node:NAME` from then on. A host that has joined before uses the certificate it was given.
 */
export function joinComponent(parts: AgentParts): Component {
  const { agent, logger } = parts;
  let client: Client | undefined;
  let renewal: NodeJS.Timeout | undefined;
  return {
    name: 'join',
    phase: 1,
    requires: [],
    deadlineMs: 60_000,
    async start({ signal }) {
      const token = parseJoinToken(agent.token);
      const files = new KeyFiles(join(agent.dataDir, 'pki'));
      await files.prepare();
      const ca = await clusterCa(files, agent.server, token, signal);
      const certificates = new NodeCertificates({ nodeName: agent.nodeName, files, ca });
      const connected = await identify(parts, certificates, token, signal);
      client = connected;
      certificates.client = connected;
      parts.joined(await patiently(agent.server, signal, () => readNodeSettings(connected)), certificates);
      renewal = setInterval(() => {
        certificates.rotateIfNeeded().then(
          (renewed) => renewed.length && parts.renewConnections(),
          (error) => logger.error({ err: error }, "the node's certificate was not renewed; trying again in an hour"),
        );
      }, RENEWAL_MS);
      renewal.unref();
    },
    /** After the kubelet: nobody has to wait for the heartbeat that does not come. */
    async stop() {
      clearInterval(renewal);
      if (!client) return;
      await Promise.race([
        tellNotReady(client, agent.nodeName),
        sleep(LEAVE_TIMEOUT_MS, undefined, { ref: false }),
      ]).catch((error) => logger.warn({ err: error }, 'the server was not told that this node stops'));
      await client.close();
    },
  };
}

async function clusterCa(files: KeyFiles, server: string, token: JoinToken, signal: AbortSignal): Promise<string> {
  const kept = await files.read('ca.crt').catch(() => undefined);
  if (kept && caPinOf(kept) === token.caPin) return kept;
  const ca = await fetchClusterCa(server, token.caPin, signal);
  await files.write('ca.crt', ca);
  return ca;
}

/** A client that is the node. */
async function identify(
  parts: AgentParts,
  certificates: NodeCertificates,
  token: JoinToken,
  signal: AbortSignal,
): Promise<Client> {
  const { server } = parts.agent;
  const asNode = () => createClient(parts.openTransport(certificates, 'k8ts-agent'));
  if (await certificates.restore()) {
    const client = asNode();
    try {
      await patiently(server, signal, () => client.request({ method: 'GET', path: '/api' }));
      return client;
    } catch (error) {
      await client.close();
      // Not of this cluster any more: it introduces itself anew.
      if (!(error instanceof CodedError) || error.code !== 'JOIN_TOKEN_REFUSED') throw error;
    }
  }
  const bootstrap = createClient(
    createHttpTransport({
      server: serverAddress(server).origin,
      ca: certificates.ca.cert,
      token: `${token.id}.${token.secret}`,
      userAgent: 'k8ts-agent',
      logger: parts.logger,
    }),
  );
  try {
    await patiently(server, signal, async () => {
      await refuseTakenName(bootstrap, parts.agent.nodeName);
      await certificates.obtain(bootstrap, signal);
    });
  } finally {
    await bootstrap.close();
  }
  return asNode();
}

/** A host without a certificate of this name must not take the place of a node that is alive. */
async function refuseTakenName(client: Client, nodeName: string): Promise<void> {
  const node = await client
    .for(Nodes)
    .get({ name: nodeName })
    .catch((error) => {
      if (isStatusError(error, 'NotFound')) return undefined;
      throw error;
    });
  if (node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) {
    throw new CodedError(
      'NODE_NAME_TAKEN',
      `a node named ${nodeName} is in the cluster already, and it is ready`,
      `Choose another name with --node-name; if this host is that node with a new data directory, delete it first: kubectl delete node ${nodeName}.`,
    );
  }
}

async function tellNotReady(client: Client, name: string): Promise<void> {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'KubeletStopped',
    message: 'the agent of this node was stopped',
    lastHeartbeatTime: time,
    lastTransitionTime: time,
  };
  await client
    .for(Nodes)
    .patch({ name }, 'strategic', { status: { conditions: [condition] } }, { subresource: 'status' });
}
