import type { Node } from '../api/types/core.v1.gen.ts';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { runProgram } from '../apimachinery/run-program.ts';
import type { InformerFactory } from '../client/informer.ts';
import { Nodes } from '../client/resource-types.gen.ts';

export interface OverlayOptions {
  readonly informers: InformerFactory;
  /** Of the VXLAN interface: unique on the host, at most 15 characters. */
  readonly device: string;
  /** VXLAN network identifier: the same on all nodes of a cluster, different for clusters that share hosts. */
  readonly networkId: number;
  /** How other nodes reach this host. */
  readonly nodeIP: string;
  /** This node's pods; absent on a host that only reaches pods and has none. */
  readonly podCIDR?: string;
  /** Of the packets inside. */
  readonly mtu: number;
  readonly logger: Logger;
}

/** A node elsewhere: its pods' range and the address that packets to them are sent to. */
export interface OverlayPeer {
  readonly podCIDR: string;
  readonly nodeIP: string;
}

/** What VXLAN puts around a packet over IPv4, in bytes. */
export const OVERLAY_OVERHEAD = 50;
/** As flannel uses; IANA's 4789 is often taken by the hosts' own network. */
const PORT = 8472;
const SETTLE_MS = 10;
const RETRY_MS = 2_000;

/**
 * Carries packets between pods of different nodes in VXLAN (RFC 7348). There is no learning and no flooding: routes, neighbours
 * and forwarding entries follow from the Nodes. The interface is made for the first node on another host. `start` resolves when
 * the nodes that are known then can be reached.
 */
export function createOverlay(options: OverlayOptions): { start(): Promise<void>; stop(): Promise<void> } {
  const { device, logger, informers } = options;
  const nodes = informers.informer(Nodes);
  /** By pod range, as the kernel has them. */
  let installed: Map<string, OverlayPeer> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let queue: Promise<void> = Promise.resolve();
  let stopped = false;
  let removeHandler = () => {};

  const schedule = (delay: number) => {
    if (stopped) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      queue = queue.then(sync).catch((error) => {
        logger.error({ err: error }, 'the routes to other nodes were not written; trying again');
        schedule(RETRY_MS);
      });
    }, delay);
  };

  const sync = async () => {
    if (stopped) return;
    const wanted = new Map(overlayPeers(nodes.list(), options.nodeIP).map((peer) => [peer.podCIDR, peer]));
    if (!installed) {
      if (wanted.size === 0) return;
      await ensureDevice(options);
      installed = await installedRoutes(device);
    }
    const { removed, added } = overlayCommands(device, installed, wanted);
    // What is to go may be gone already.
    await Promise.all([batch('ip', removed.ip, '-force'), batch('bridge', removed.bridge, '-force')]).catch(() => {});
    await batch('bridge', added.bridge);
    await batch('ip', added.ip);
    installed = wanted;
  };

  return {
    async start() {
      informers.start();
      await nodes.whenSynced();
      const onChange = () => schedule(SETTLE_MS);
      removeHandler = nodes.addHandler({
        onAdd: onChange,
        onUpdate: (node, old) => (changesRoutes(node, old) ? onChange() : undefined),
        onDelete: onChange,
      });
      queue = sync();
      await queue;
    },
    async stop() {
      stopped = true;
      removeHandler();
      clearTimeout(timer);
      await queue.catch(() => {});
      await runProgram('ip', ['link', 'delete', device]).catch(() => {}); // never made when there was no other host
    },
  };
}

/** Nodes with pods on other hosts; nodes that share this host are reached without a tunnel. */
export function overlayPeers(nodes: readonly Node[], ownAddress: string): OverlayPeer[] {
  return nodes.flatMap(({ spec, status }) => {
    const podCIDR = spec?.podCIDR;
    const nodeIP = status?.addresses?.find(
      ({ type, address }) => type === 'InternalIP' && !address.includes(':'),
    )?.address;
    return podCIDR && !podCIDR.includes(':') && nodeIP && nodeIP !== ownAddress ? [{ podCIDR, nodeIP }] : [];
  });
}

interface Commands {
  readonly ip: string[];
  readonly bridge: string[];
}

/** The difference as lines for `ip -batch` and `bridge -batch`. */
export function overlayCommands(
  device: string,
  before: ReadonlyMap<string, OverlayPeer>,
  after: ReadonlyMap<string, OverlayPeer>,
): { removed: Commands; added: Commands } {
  const removed: Commands = { ip: [], bridge: [] };
  const added: Commands = { ip: [], bridge: [] };
  const addresses = new Set([...after.values()].map(({ nodeIP }) => nodeIP));
  for (const [podCIDR, { nodeIP }] of before) {
    // A host with several nodes keeps its entry until the last is gone.
    if (nodeIP && !addresses.has(nodeIP))
      removed.bridge.push(`fdb del ${overlayMac(nodeIP)} dst ${nodeIP} dev ${device}`);
    if (after.has(podCIDR)) continue;
    removed.ip.push(`route del ${podCIDR} dev ${device}`, `neigh del ${gatewayOf(podCIDR)} dev ${device}`);
  }
  for (const [podCIDR, { nodeIP }] of after) {
    if (before.get(podCIDR)?.nodeIP === nodeIP) continue;
    const gateway = gatewayOf(podCIDR);
    added.bridge.push(`fdb replace ${overlayMac(nodeIP)} dst ${nodeIP} dev ${device}`);
    added.ip.push(
      `neigh replace ${gateway} lladdr ${overlayMac(nodeIP)} nud permanent dev ${device}`,
      `route replace ${podCIDR} via ${gateway} dev ${device} onlink`,
    );
  }
  return { removed, added };
}

async function batch(program: 'ip' | 'bridge', lines: readonly string[], ...options: readonly string[]): Promise<void> {
  if (lines.length) await runProgram(program, [...options, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** The address of a host's VXLAN interface follows from the host's own, so that nobody has to tell it. Locally administered. */
export function overlayMac(nodeIP: string): string {
  return ['02', '6b', ...nodeIP.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'))].join(':');
}

/** The first address of a node's range is that of its VXLAN interface. */
const gatewayOf = (podCIDR: string) => podCIDR.split('/')[0]!;

function changesRoutes(node: Node, old: Node): boolean {
  return (
    node.spec?.podCIDR !== old.spec?.podCIDR ||
    JSON.stringify(node.status?.addresses) !== JSON.stringify(old.status?.addresses)
  );
}

interface LinkDetails {
  readonly address?: string;
  readonly mtu?: number;
  readonly linkinfo?: {
    readonly info_data?: { readonly id?: number; readonly port?: number; readonly local?: string };
  };
}

/** Keeps an interface that is as wanted: what it carries goes on while this program restarts. */
async function ensureDevice({ device, networkId, nodeIP, podCIDR, mtu }: OverlayOptions): Promise<void> {
  const [link] = await runProgram('ip', ['-json', '-details', 'link', 'show', 'dev', device]).then(
    (text) => JSON.parse(text) as LinkDetails[],
    () => [],
  );
  const has = link?.linkinfo?.info_data;
  const kept =
    has?.id === networkId && has.port === PORT && has.local === nodeIP && link?.address === overlayMac(nodeIP);
  const lines = [
    ...(link && !kept ? [`link delete ${device}`] : []),
    ...(kept
      ? []
      : [
          `link add ${device} address ${overlayMac(nodeIP)} type vxlan id ${networkId} local ${nodeIP} dstport ${PORT} nolearning`,
        ]),
    `link set ${device} mtu ${mtu} up`,
    ...(podCIDR ? [`address replace ${gatewayOf(podCIDR)}/32 dev ${device}`] : []),
  ];
  try {
    await batch('ip', lines);
  } catch (cause) {
    throw new CodedError(
      'VXLAN_REFUSED',
      `the kernel refused the VXLAN interface ${device}: ${(cause as Error).message}`,
      'It needs root with CAP_NET_ADMIN and the vxlan module (modprobe vxlan); another program may use VXLAN on UDP port 8472.',
      { cause },
    );
  }
}

/** Routes that an earlier run left; where they lead is not known, so each is written anew or deleted. */
async function installedRoutes(device: string): Promise<Map<string, OverlayPeer>> {
  const routes = JSON.parse(
    (await runProgram('ip', ['-json', '-4', 'route', 'show', 'dev', device])) || '[]',
  ) as readonly { readonly dst: string; readonly gateway?: string }[];
  return new Map(routes.filter(({ gateway }) => gateway).map(({ dst }) => [dst, { podCIDR: dst, nodeIP: '' }]));
}
