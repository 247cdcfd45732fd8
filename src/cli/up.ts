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
  readonly ingressPorts: { http: number; https: number };
  readonly dashboardPort: number;
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
    .option('--ingress-ports <http,https>', 'ports of the ingress controller', parsePortPair, { http: 80, https: 443 })
    .option('--dashboard-port <port>', 'port of the dashboard; 0 takes a free one', parsePort, 8443)
    .option('--container-runtime-endpoint <socket>', 'an existing CRI socket, in place of a containerd of our own')
    .option('--install-missing', 'install missing Debian packages (needs root)')
    .action(async (flags: UpFlags) => {
      const { runtimeFor } = await import('./requirements.ts');
      const runtime = await runtimeFor(flags);
      const options = {
        ...clusterOptions(flags),
        runtime,
        nodes: flags.nodes,
        ingressPorts: flags.ingressPorts,
        dashboardPort: flags.dashboardPort,
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

function parsePortPair(text: string): { http: number; https: number } {
  const [http, https, ...rest] = text.split(',');
  if (http === undefined || https === undefined || rest.length) return { http: parsePort(text), https: 0 };
  return { http: parsePort(http), https: parsePort(https) };
}
