import type { Command } from 'commander';
import { type AddonPortFlags, addonPortOptions, addonPorts } from './addon-ports.ts';
import { oneOf, parseCount } from './option-values.ts';
import { type ControlPlaneFlags, clusterOptions, controlPlaneOptions, outputOption } from './shared-options.ts';

interface UpFlags extends ControlPlaneFlags, AddonPortFlags {
  readonly detach?: boolean;
  readonly runtime?: 'containerd' | 'simulated';
  readonly nodes: number;
  readonly containerRuntimeEndpoint?: string;
  readonly installMissing?: boolean;
  readonly mergeKubeconfig?: boolean;
  readonly output?: 'json';
}

export function defineUp(program: Command): void {
  const command = program.command('up').description('start a whole cluster, in five phases');
  addonPortOptions(outputOption(controlPlaneOptions(command)))
    .option('--detach', 'return when the cluster is ready; it goes on in the background')
    .option(
      '--runtime <name>',
      'containerd (real containers) or simulated (no root needed)',
      oneOf('containerd', 'simulated'),
    )
    .option('--nodes <count>', 'how many nodes', parseCount, 1)
    .option('--container-runtime-endpoint <socket>', 'an existing CRI socket, in place of a containerd of our own')
    .option('--install-missing', 'install missing Debian packages (needs root)')
    .action(async (flags: UpFlags) => {
      const { runtimeFor } = await import('./requirements.ts');
      const runtime = await runtimeFor(flags);
      const options = {
        ...clusterOptions(flags),
        runtime,
        nodes: flags.nodes,
        ...addonPorts(flags),
        ...(flags.containerRuntimeEndpoint ? { containerRuntimeEndpoint: flags.containerRuntimeEndpoint } : {}),
      };
      if (flags.detach) {
        const { runDetached } = await import('./detached.ts');
        await runDetached({ flags });
        return;
      }
      const { runForeground } = await import('./foreground.ts');
      await runForeground({ command: 'up', options, flags });
    });
}
