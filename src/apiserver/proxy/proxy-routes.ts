import type { RequestRouter } from '../request/request-router.ts';
import type { KubeletCredentials } from './kubelet-endpoint.ts';
import { nodeProxy } from './node-proxy.ts';
import { podLog } from './pod-log.ts';
import { podProxy } from './pod-proxy.ts';
import { podAttach, podExec, podPortForward } from './pod-streams.ts';
import type { ProxyServices } from './proxy-services.ts';
import { serviceProxy } from './service-proxy.ts';

export interface ProxyRouteOptions {
  /** What kubelets are called with; read at every connection. */
  kubelet(): KubeletCredentials;
}

/** Serves what the API server only passes on: logs, exec, attach and port-forward of pods, and the proxies. */
export function addProxyRoutes(
  { router, reader, services }: { readonly router: RequestRouter } & Omit<ProxyServices, 'kubelet'>,
  { kubelet }: ProxyRouteOptions,
): void {
  const proxy: ProxyServices = { reader, services, kubelet };
  const handlers = { log: podLog, exec: podExec, attach: podAttach, portforward: podPortForward, proxy: podProxy };
  for (const [subresource, handler] of Object.entries(handlers))
    router.addSubresource('', 'pods', subresource, (context, definition) => handler(proxy, context, definition));
  router.addSubresource('', 'services', 'proxy', (context, definition) => serviceProxy(proxy, context, definition));
  router.addSubresource('', 'nodes', 'proxy', (context, definition) => nodeProxy(proxy, context, definition));
}
