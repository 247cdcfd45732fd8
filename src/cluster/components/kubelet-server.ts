import type { Logger } from '../../apimachinery/logger.ts';
import type { Kubelet } from '../../kubelet/kubelet.ts';
import type { Connection } from '../connection.ts';
import type { NodeParts } from '../node-site.ts';
import type { NodePki } from '../pki/pki.ts';

export interface KubeletServerHandle {
  readonly port: number;
  serve(kubelet: Kubelet): void;
  stop(): Promise<void>;
}

/** Kubernetes' own port of kubelets; taken by another cluster or node of this host, any free one does. */
const PREFERRED_PORT = 10_250;
const RENEWAL_MS = 43_200_000;

/** Listens for the API server's calls to a node of this process; answers once it is told to `serve`. */
export async function startKubeletServer({
  connection,
  pki,
  node,
  logger,
}: {
  connection: Connection;
  pki: NodePki;
  node: NodeParts;
  logger: Logger;
}): Promise<KubeletServerHandle> {
  const { createKubeletServer } = await import('../../kubelet/server/kubelet-server.ts');
  const tls = async () => {
    const pair = await pki.certificate(`kubelet-server-${node.name}`, {
      commonName: `system:node:${node.name}`,
      organizations: ['system:nodes'],
      usages: ['server'],
      dnsNames: [node.name],
      ips: [node.ip],
    });
    return { ...pair, clientCA: pki.ca.cert };
  };
  const material = await tls();
  const listen = async (port: number) => {
    const server = createKubeletServer({
      client: connection.client,
      logger,
      nodeName: node.name,
      tls: material,
      port,
      ...(node.ip === '127.0.0.1' ? { host: '127.0.0.1' } : {}),
    });
    await server.start();
    return server;
  };
  const server = await listen(node.ip === '127.0.0.1' ? 0 : PREFERRED_PORT).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') return listen(0);
    throw error;
  });
  const renewal = setInterval(() => {
    tls().then(
      (renewed) => server.renewCertificate(renewed),
      (error) => logger.error({ err: error, node: node.name }, "the kubelet's certificate was not renewed"),
    );
  }, RENEWAL_MS);
  renewal.unref();
  return {
    port: server.port,
    serve: (kubelet) =>
      server.serve({
        pods: kubelet.pods,
        runtime: kubelet.runtime,
        ...(node.dataDir ? { dataDir: node.dataDir } : {}),
      }),
    async stop() {
      clearInterval(renewal);
      await server.stop();
    },
  };
}
