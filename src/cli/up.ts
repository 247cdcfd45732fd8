import type { Command } from 'commander';
import {
  type ControlPlaneFlags,
  clusterOptions,
  controlPlaneOptions,
  oneOf,
  outputOption,
  parseCount,
  parsePort,
} from './shared-options.ts';

interface UpFlags extends ControlPlaneFlags {
  readonly detach?: boolean;
  readonly runtime?: 'containerd' | 'simulated';
  readonly nodes: number;
  readonly ingressPorts?: { http: number; https: number };
  readonly dashboardPort?: number;
  readonly containerRuntimeEndpoint?: string;
  readonly installMissing?: boolean;
  readonly mergeKubeconfig?: boolean;
  readonly output?: 'json';
}

export function defineUp(program: Command): void {
  const command = program.command('up').description('start a whole cluster, in five phases');
  outputOption(controlPlaneOptions(command))
    .option('--detach', 'return when the cluster is ready; it goes on in the background')
    .option(
      '--runtime <name>',
      'containerd (real containers) or simulated (no root needed)',
      oneOf('containerd', 'simulated'),
    )
    .option('--nodes <count>', 'how many nodes', parseCount, 1)
    .option(
      '--ingress-ports <http,https>',
      'ports of the ingress controller (default: 80,443, or free ones if those are taken)',
      parsePortPair,
    )
    .option('--dashboard-port <port>', 'port of the dashboard (default: 8443, or a free one if that is taken)', parsePort)
    .option('--container-runtime-endpoint <socket>', 'an existing CRI socket, in place of a containerd of our own')
    .option('--install-missing', 'install missing Debian packages (needs root)')
    .action(async (flags: UpFlags) => {
      const { runtimeFor } = await import('./requirements.ts');
      const runtime = await runtimeFor(flags);
      const options = {
        ...clusterOptions(flags),
        runtime,
        nodes: flags.nodes,
        ingressPorts: flags.ingressPorts ?? { http: 80, https: 443 },
        dashboardPort: flags.dashboardPort ?? 8443,
        preferredPorts: preferredPorts(flags),
        ...(flags.containerRuntimeEndpoint ? { containerRuntimeEndpoint: flags.containerRuntimeEndpoint } : {}),
      };
      if (flags.detach) {
        const { runDetached } = await import('./detached.ts');
        await runDetached({ flags, command: 'up' });
        return;
      }
      const { runForeground } = await import('./foreground.ts');
      await runForeground({ command: 'up', options, flags });
    });
}

/** Ports that nobody asked for need not be those: several clusters run side by side. */
function preferredPorts(flags: UpFlags): ('ingress' | 'dashboard')[] {
  return [
    ...(flags.ingressPorts ? [] : (['ingress'] as const)),
    ...(flags.dashboardPort === undefined ? (['dashboard'] as const) : []),
  ];
}

function parsePortPair(text: string): { http: number; https: number } {
  const [http, https, ...rest] = text.split(',');
  if (http === undefined || https === undefined || rest.length) return { http: parsePort(text), https: 0 };
  return { http: parsePort(http), https: parsePort(https) };
}
