import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { METRICS_SERVER_NAMES } from '../../addons/metrics-server/names.ts';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Component } from '../graph/component.ts';
import { ADDONS } from '../identities.ts';
import { hostAddress } from '../machine.ts';
import type { ClusterParts } from '../parts.ts';
import { startLocalPath } from './local-path.ts';

interface Stoppable {
  stop(): Promise<void>;
}

/** Opens the connection that the add-ons of this process share. */
export function addonConnectionComponent(parts: ClusterParts): Component {
  return {
    name: 'add-on-client',
    phase: 4,
    requires: ['apiserver'],
    async start() {
      parts.addons = parts.connect(ADDONS, 'k8ts-addons');
    },
    stop: () => parts.addons.close(),
  };
}

/** An add-on that can be disabled, and that some runtimes have no use for. */
function addon(
  parts: ClusterParts,
  name: string,
  requires: readonly string[],
  start: () => Promise<Stoppable>,
  simulated?: string,
): Component {
  let running: Stoppable | undefined;
  return {
    name,
    phase: 4,
    requires: ['add-on-client', ...requires],
    async start() {
      if (parts.config.disable.has(name)) return { skipped: 'disabled' };
      if (simulated && parts.config.runtime === 'simulated') return { skipped: simulated };
      running = await start();
    },
    async stop() {
      await running?.stop();
    },
  };
}

export function addonComponents(parts: ClusterParts): Component[] {
  const { config, logger } = parts;
  const isReplaceable = (error: unknown, of: 'ingress' | 'dashboard') =>
    config.preferredPorts.has(of) && error instanceof CodedError && error.code === 'PORT_IN_USE';
  const dns = async () => {
    const { createDnsAddon } = await import('../../addons/dns/dns-addon.ts');
    const created = createDnsAddon({ ...parts.addons, ...config, nodeIP: hostAddress(), logger });
    await created.start();
    return created;
  };
  const ingress = async () => {
    const { createIngressAddon } = await import('../../addons/ingress/ingress-addon.ts');
    const defaultCertificate = await parts.pki.certificate('ingress-default', {
      commonName: 'k8ts-ingress-default',
      usages: ['server'],
      dnsNames: ['localhost'],
      ips: ['127.0.0.1', hostAddress()],
    });
    const listen = (ports: { http: number; https: number }) =>
      started(
        createIngressAddon({
          ...parts.addons,
          nodeIP: hostAddress(),
          bindAddress: '0.0.0.0',
          ports,
          defaultCertificate,
          logger,
        }),
      );
    const created = await listen(config.ingressPorts).catch((error) => {
      if (!isReplaceable(error, 'ingress')) throw error;
      return listen({ http: 0, https: 0 });
    });
    parts.addresses.ingress = `http://127.0.0.1:${created.ports.http}`;
    parts.addresses['ingress (TLS)'] = `https://127.0.0.1:${created.ports.https}`;
    return created;
  };
  const localPath = () => startLocalPath(parts, parts.addons, { publishesClass: true });
  const dashboard = async () => {
    const { createDashboard } = await import('../../addons/dashboard/server.ts');
    const certificate = await parts.pki.certificate('dashboard', {
      commonName: 'k8ts-dashboard',
      usages: ['server'],
      dnsNames: ['localhost'],
      ips: ['127.0.0.1', '::1', hostAddress()],
    });
    const listen = (port: number) =>
      started(
        createDashboard({
          server: parts.addresses.apiserver!,
          ca: parts.pki.ca.cert,
          pageDir: dashboardPage(),
          bindAddress: '127.0.0.1',
          port,
          certificate,
          logger,
        }),
      );
    const created = await listen(config.dashboardPort).catch((error) => {
      if (!isReplaceable(error, 'dashboard')) throw error;
      return listen(0);
    });
    parts.addresses.dashboard = `https://127.0.0.1:${created.port}`;
    return created;
  };
  const metricsServer = async () => {
    const [{ createMetricsServerAddon }, certificate] = await Promise.all([
      import('../../addons/metrics-server/metrics-server-addon.ts'),
      parts.pki.certificate('metrics-server', {
        commonName: 'k8ts-metrics-server',
        usages: ['server'],
        dnsNames: METRICS_SERVER_NAMES,
      }),
    ]);
    return started(
      createMetricsServerAddon({
        ...parts.addons,
        logger,
        address: config.bindAddress === '127.0.0.1' ? '127.0.0.1' : hostAddress(),
        certificate,
        caBundle: parts.pki.ca.cert,
        clientCA: parts.pki.frontProxyCa.cert,
      }),
    );
  };
  return [
    addonConnectionComponent(parts),
    addon(parts, 'dns', [], dns, 'simulated pods have no network'),
    addon(parts, 'ingress', [], ingress, 'simulated pods answer no requests'),
    addon(parts, 'local-path', [], localPath),
    addon(parts, 'metrics-server', [], metricsServer),
    addon(parts, 'dashboard', [], dashboard),
  ];
}

/** Leaves nothing behind when it can't start. */
async function started<T extends Stoppable & { start(): Promise<void> }>(part: T): Promise<T> {
  try {
    await part.start();
    return part;
  } catch (error) {
    await part.stop();
    throw error;
  }
}

/** `dist/dashboard`, beside the built program or found from the sources. */
function dashboardPage(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let depth = 0; depth < 4; depth++) {
    for (const candidate of [join(folder, 'dashboard'), join(folder, 'dist', 'dashboard')]) {
      if (existsSync(join(candidate, 'assets'))) return candidate;
    }
    folder = dirname(folder);
  }
  return join(folder, 'dist', 'dashboard');
}
