import { CodedError } from '../apimachinery/coded-error.ts';
import { type Logger, silentLogger } from '../apimachinery/logger.ts';
import { isDns1123Subdomain } from '../apimachinery/names.ts';
import { AgentParts } from './agent-parts.ts';
import { drainComponent } from './components/drain.ts';
import { joinComponent } from './components/join.ts';
import { kubeProxyComponent } from './components/kube-proxy.ts';
import { startLocalPath } from './components/local-path.ts';
import { nodeComponents } from './components/node.ts';
import type { Connection } from './connection.ts';
import type { Component, Timeline } from './graph/component.ts';
import { BootGraph } from './graph/graph.ts';
import { nodeUser } from './identities.ts';
import { parseJoinToken } from './join/join-token.ts';
import { addressTowards, serverAddress } from './join/server-connection.ts';
import { hostAddress, hostNodeName } from './machine.ts';
import { AGENT_DISABLEABLE } from './options.ts';

/** What a user may choose about a node on its own. */
export interface AgentOptions {
  /** Of the API server: `https://HOST:PORT`. */
  readonly server: string;
  /** What the server wrote to `join-token` of its data directory. */
  readonly token: string;
  /** Where the node keeps its certificate and its containers. */
  readonly dataDir: string;
  /** The host's name when absent. */
  readonly nodeName?: string;
  /** Where other nodes and the server reach this one; the address on the way to the server when absent. */
  readonly nodeIp?: string;
  readonly runtime: 'simulated' | 'containerd';
  readonly containerRuntimeEndpoint?: string;
  /** `kube-proxy`, `local-path`. */
  readonly disable?: readonly string[];
  readonly logger?: Logger;
  /** Called after every change of a component's state. */
  onTimeline?(timeline: Timeline): void;
}

/** A node in this process, of a cluster whose control plane is elsewhere: the components of `k8ts up`, placed apart. */
export class Agent {
  readonly #graph: BootGraph;
  readonly #parts: AgentParts;

  private constructor(graph: BootGraph, parts: AgentParts) {
    this.#graph = graph;
    this.#parts = parts;
  }

  /** Joins and boots; resolves when the node is Ready. Throws CodedError, with everything stopped, when a component fails. */
  static async start(options: AgentOptions & { readonly signal?: AbortSignal }): Promise<Agent> {
    const logger = options.logger ?? silentLogger;
    const parts = new AgentParts(await resolveAgentOptions(options), logger);
    const { nodeName, nodeIP, dataDir } = parts.agent;
    const below: Component[] = [
      joinComponent(parts),
      ...nodeComponents(parts, { name: nodeName, ip: nodeIP, dataDir }),
      kubeProxyComponent(parts),
      localPathComponent(parts),
    ];
    const components = [
      ...below,
      drainComponent(
        parts,
        below.map(({ name }) => name),
      ),
    ];
    const { onTimeline } = options;
    const graph = new BootGraph({
      components,
      logger,
      ...(onTimeline ? { onChange: (timeline) => onTimeline(timeline) } : {}),
    });
    const onAbort = () => void graph.stop();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await graph.start();
      options.signal?.throwIfAborted();
      return new Agent(graph, parts);
    } catch (error) {
      await graph.stop();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  get addresses(): Readonly<Record<string, string>> {
    const { server, nodeName, nodeIP } = this.#parts.agent;
    return { apiserver: server, node: nodeName, 'node address': nodeIP };
  }

  /** Processes that outlive a crash of this one, by name. */
  processes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.#parts.nodes.flatMap(({ name, containerd }) =>
        containerd ? [[`containerd of ${name}`, containerd.pid]] : [],
      ),
    );
  }

  timeline(): Timeline {
    return this.#graph.timeline();
  }

  /** Drains the node, then stops everything, pods included. Never throws; safe to call twice. */
  stop(): Promise<void> {
    return this.#graph.stop();
  }
}

function localPathComponent(parts: AgentParts): Component {
  let connection: Connection | undefined;
  let running: { stop(): Promise<void> } | undefined;
  return {
    name: 'local-path',
    phase: 4,
    requires: [parts.requires.api],
    async start() {
      if (parts.agent.disable.has('local-path')) return { skipped: 'disabled' };
      connection = parts.connect(nodeUser(parts.agent.nodeName), 'k8ts-local-path');
      running = await startLocalPath(parts, connection, { publishesClass: false });
    },
    async stop() {
      await running?.stop();
      await connection?.close();
    },
  };
}

async function resolveAgentOptions(options: AgentOptions) {
  const { server, token, dataDir, runtime, containerRuntimeEndpoint } = options;
  const { origin } = serverAddress(server);
  parseJoinToken(token);
  const nodeName = options.nodeName ?? hostNodeName();
  const [problem] = isDns1123Subdomain(nodeName);
  if (problem)
    throw new CodedError(
      'INVALID_OPTION',
      `"${nodeName}" can't be the name of a node: ${problem}`,
      'Choose another with --node-name.',
    );
  const disable = new Set(options.disable ?? []);
  for (const name of disable) {
    if (!(AGENT_DISABLEABLE as readonly string[]).includes(name))
      throw new CodedError(
        'INVALID_OPTION',
        `there is no component "${name}" of an agent to disable`,
        `Choose among: ${AGENT_DISABLEABLE.join(', ')}.`,
      );
  }
  const nodeIP = options.nodeIp ?? (await addressTowards(server)) ?? hostAddress();
  return { server: origin, token, dataDir, runtime, containerRuntimeEndpoint, nodeName, nodeIP, disable };
}
