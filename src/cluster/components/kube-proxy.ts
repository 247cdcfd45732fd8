import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Connection } from '../connection.ts';
import type { Component } from '../graph/component.ts';
import { KUBE_PROXY } from '../identities.ts';
import { instanceId, type NodeSite } from '../node-site.ts';

/** Service rules; ready when the `kubernetes` ClusterIP answers. */
export function kubeProxyComponent(site: NodeSite): Component {
  let connection: Connection | undefined;
  let proxy: { stop(): Promise<void> } | undefined;
  return {
    name: 'kube-proxy',
    phase: 3,
    requires: [site.requires.api],
    async start({ signal }) {
      const { config, logger } = site;
      const [node] = site.nodes;
      if (!node) return { skipped: 'it runs on the nodes' };
      if (site.runtime === 'simulated') return { skipped: 'simulated pods have no network' };
      if (config.disable.has('kube-proxy')) return { skipped: 'disabled' };
      const { createKubeProxy } = await import('../../kube-proxy/kube-proxy.ts');
      connection = site.connect(KUBE_PROXY, 'kube-proxy');
      const created = createKubeProxy({
        informers: connection.informers,
        nodeName: node.name,
        table: `k8ts-proxy-${instanceId(node.dataDir!)}`,
        clusterCIDR: config.clusterCIDR,
        serviceCIDR: config.serviceCIDR,
        logger,
      });
      proxy = created;
      await created.start();
      await answers(config.kubernetesServiceIP, 443, signal);
    },
    async stop() {
      await proxy?.stop();
      await connection?.close();
    },
  };
}

async function answers(host: string, port: number, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!signal.aborted) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connectTcp({ host, port, timeout: 1_000 });
      const end = (result: boolean) => {
        socket.destroy();
        resolve(result);
      };
      socket.on('connect', () => end(true));
      socket.on('timeout', () => end(false));
      socket.on('error', () => end(false));
    });
    if (connected) return;
    if (Date.now() > deadline)
      throw new CodedError(
        'SERVICE_UNREACHABLE',
        `the kubernetes Service (${host}:${port}) does not answer`,
        'A firewall of this host may drop the traffic; see `nft list ruleset`.',
      );
    await sleep(20, undefined, { signal });
  }
}
