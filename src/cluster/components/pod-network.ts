import { join } from 'node:path';
import type { UserInfo } from '../../sdk/user.ts';
import type { Connection } from '../connection.ts';
import type { Component } from '../graph/component.ts';
import { nodeUser, POD_NETWORK } from '../identities.ts';
import { caPinOf } from '../join/join-token.ts';
import { hostAddress } from '../machine.ts';
import { instanceId, type NodeParts, type NodeSite } from '../node-site.ts';
import type { ClusterParts } from '../parts.ts';
import { endPods } from './end-pods.ts';

type Stop = () => Promise<void>;

/** Pods of this node reach each other, those of other nodes and the outside, and are reached at their host ports. */
export function podNetworkComponent(site: NodeSite, node: NodeParts, name: string, kubelet: string): Component {
  let stops: Stop[] = [];
  return {
    name,
    phase: 2,
    requires: [kubelet, site.requires.controllers],
    async start({ signal }) {
      const { config, logger } = site;
      if (site.containerRuntimeEndpoint) return { skipped: 'the existing container runtime has a network of its own' };
      const [{ createPodNetwork }, { createHostPorts }, { createOverlay, OVERLAY_OVERHEAD }, { uplinkMtu }] =
        await Promise.all([
          import('../../network/pod-network.ts'),
          import('../../network/host-ports.ts'),
          import('../../network/overlay.ts'),
          import('../../network/uplink.ts'),
        ]);
      const [podCIDR, uplink] = await Promise.all([node.kubelet!.whenPodCIDR(signal), uplinkMtu(node.ip)]);
      node.podCIDR = podCIDR;
      const id = instanceId(node.dataDir!);
      const mtu = uplink - OVERLAY_OVERHEAD;
      const network = createPodNetwork({
        bridge: `k8ts-${id}`,
        table: `k8ts-net-${id}`,
        podCIDR,
        clusterCIDR: config.clusterCIDR,
        mtu,
        cniConfDir: node.containerd!.cniConfDir,
        stateDir: join(node.dataDir!, 'cni', 'addresses'),
        logger,
      });
      stops.push(() => network.stop());
      await network.start();
      const informersOf = (user: UserInfo) => {
        const connection = site.connect(user, 'pod-network');
        stops.push(() => connection.close());
        return connection.informers;
      };
      const informers = informersOf(nodeUser(node.name));
      const hostPorts = createHostPorts({ informers, nodeName: node.name, table: `k8ts-ports-${id}`, logger });
      stops.push(() => hostPorts.stop());
      const parts = [hostPorts];
      // Nodes of one host share its way to the others.
      if (site.nodes[0] === node) {
        const networkId = overlayId(site.pki.ca.cert);
        const overlay = createOverlay({
          informers: informersOf(POD_NETWORK),
          device: overlayDevice(id),
          networkId,
          nodeIP: node.ip,
          podCIDR,
          mtu,
          logger,
        });
        stops.push(() => overlay.stop());
        parts.push(overlay);
      }
      await Promise.all(parts.map((part) => part.start()));
    },
    async stop() {
      try {
        await endPods(node);
      } finally {
        for (const stop of stops.reverse()) await stop();
        stops = [];
      }
    },
  };
}

/** A host with a control plane alone reaches pods too: for the ingress controller, and for what the API server passes on. */
export function serverNetworkComponent(parts: ClusterParts): Component {
  let connection: Connection | undefined;
  let overlay: { stop(): Promise<void> } | undefined;
  return {
    name: 'pod-network',
    phase: 2,
    requires: [parts.requires.api],
    async start() {
      if (process.platform !== 'linux')
        return { skipped: 'needs Linux: the ingress controller and the API server do not reach pods' };
      if (process.getuid?.() !== 0)
        return { skipped: 'needs root: the ingress controller and the API server do not reach pods' };
      const [{ createOverlay, OVERLAY_OVERHEAD }, { uplinkMtu }, { ADDONS }] = await Promise.all([
        import('../../network/overlay.ts'),
        import('../../network/uplink.ts'),
        import('../identities.ts'),
      ]);
      const { logger, pki, config } = parts;
      const nodeIP = hostAddress();
      connection = parts.connect(ADDONS, 'pod-network');
      const created = createOverlay({
        informers: connection.informers,
        device: overlayDevice(instanceId(config.dataDir!)),
        networkId: overlayId(pki.ca.cert),
        nodeIP,
        mtu: (await uplinkMtu(nodeIP)) - OVERLAY_OVERHEAD,
        logger,
      });
      overlay = created;
      await created.start();
    },
    async stop() {
      await overlay?.stop();
      await connection?.close();
    },
  };
}

/** Of the VXLAN interface, by the id of the instance. */
export const overlayDevice = (id: string) => `k8tsv-${id}`;

/** The same on all hosts of a cluster, and hardly ever that of another: 24 bits, from the CA's key; 0 and 1 are others'. */
function overlayId(ca: string): number {
  return (Number.parseInt(caPinOf(ca).slice(0, 6), 16) % (2 ** 24 - 2)) + 2;
}
