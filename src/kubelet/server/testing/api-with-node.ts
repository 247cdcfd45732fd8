import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KubectlVersion, kubectlPath } from '../../../../test/support/tools.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { addProxyRoutes } from '../../../apiserver/proxy/proxy-routes.ts';
import { startTestApiServer, type TestApiServer } from '../../../apiserver/testing.ts';
import { Pods } from '../../../client/resource-types.gen.ts';
import { openPki, type Pki } from '../../../cluster/pki/pki.ts';
import { createKubelet, type Kubelet } from '../../kubelet.ts';
import type { ContainerRuntime } from '../../runtime/container-runtime.ts';
import { createKubeletServer, type KubeletServer } from '../kubelet-server.ts';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real API server over HTTPS and a kubelet with its server, for kubectl. */
export interface ApiWithNode {
  readonly api: TestApiServer;
  readonly kubelet: Kubelet;
  readonly server: KubeletServer;
  readonly pki: Pki;
  readonly kubeconfig: string;
  /** Creates the pod on the node and waits until it is in the phase. */
  run(pod: Pod, phase?: string): Promise<Pod>;
  kubectl(version: KubectlVersion, args: readonly string[], input?: string | Buffer): Promise<Finished>;
  /** Not waited for; `stop` ends it. */
  spawn(version: KubectlVersion, args: readonly string[]): Promise<ChildProcess>;
  stop(): Promise<void>;
}

export async function startApiWithNode(runtime: ContainerRuntime, dataDir?: string): Promise<ApiWithNode> {
  const directory = mkdtempSync(join(tmpdir(), 'k8ts-streams-'));
  const pki = await openPki();
  const [serving, kubeletServing, kubeletClient] = await Promise.all([
    pki.issue({ commonName: 'kube-apiserver', usages: ['server'], ips: ['127.0.0.1'] }),
    pki.issue({ commonName: 'system:node:node1', usages: ['server'], ips: ['127.0.0.1'] }),
    pki.issue({ commonName: 'kube-apiserver-kubelet-client', usages: ['client'] }),
  ]);
  const api = await startTestApiServer({ listen: { host: '127.0.0.1', tls: serving } });
  addProxyRoutes(api.server, { kubelet: () => ({ ...kubeletClient, ca: pki.ca.cert }) });
  await api.client.request({
    method: 'POST',
    path: '/api/v1/namespaces/default/serviceaccounts',
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
  });
  const server = createKubeletServer({
    client: api.client,
    logger: silentLogger,
    nodeName: 'node1',
    port: 0,
    host: '127.0.0.1',
    tls: { ...kubeletServing, clientCA: pki.ca.cert },
  });
  await server.start();
  const kubelet = await createKubelet({
    client: api.client,
    runtime,
    logger: silentLogger,
    nodeName: 'node1',
    nodeIP: '127.0.0.1',
    port: server.port,
    ...(dataDir ? { dataDir } : {}),
  });
  server.serve({ pods: kubelet.pods, runtime, ...(dataDir ? { dataDir } : {}) });
  await kubelet.start();
  await kubelet.whenReady();
  const kubeconfig = join(directory, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
      clusters: [
        {
          name: 'test',
          cluster: { server: api.url, 'certificate-authority-data': Buffer.from(pki.ca.cert).toString('base64') },
        },
      ],
      users: [{ name: 'test', user: { token: 'any' } }],
    }),
  );
  const children = new Set<ChildProcess>();
  const start = async (version: KubectlVersion, args: readonly string[]) => {
    const child = spawn(
      await kubectlPath(version),
      ['--kubeconfig', kubeconfig, '--cache-dir', join(directory, 'cache'), ...args],
      {
        stdio: 'pipe',
        // The older one speaks as kubectl did before WebSocket: SPDY.
        env: {
          ...process.env,
          ...(version === '1.27'
            ? { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }
            : {}),
        },
      },
    );
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  };
  return {
    api,
    kubelet,
    server,
    pki,
    kubeconfig,
    async run(pod, phase = 'Running') {
      await api.client.for(Pods).create(pod);
      const name = { name: pod.metadata.name, namespace: 'default' };
      for (let tries = 0; ; tries++) {
        const now = await api.client.for(Pods).get(name);
        if (now.status?.phase === phase) return now;
        if (tries > 400) throw new Error(`pod ${pod.metadata.name} is not ${phase}: ${JSON.stringify(now.status)}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async kubectl(version, args, input) {
      const child = await start(version, args);
      let stdout = '';
      let stderr = '';
      child.stdout?.on('data', (chunk) => {
        stdout += chunk;
      });
      child.stderr?.on('data', (chunk) => {
        stderr += chunk;
      });
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input ?? '');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      return new Promise((resolve) =>
        child.once('close', (code) => {
          clearTimeout(timer);
          resolve({ code, stdout, stderr });
        }),
      );
    },
    spawn: start,
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      await kubelet.stop();
      await kubelet.removePods();
      await server.stop();
      await api.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
