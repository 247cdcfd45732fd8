import type { Command } from 'commander';
import { type AddonPortFlags, addonPortOptions, addonPorts } from './addon-ports.ts';
import { type ControlPlaneFlags, clusterOptions, controlPlaneOptions, outputOption } from './shared-options.ts';

interface ServerFlags extends ControlPlaneFlags, AddonPortFlags {
  readonly detach?: boolean;
  readonly mergeKubeconfig?: boolean;
  readonly output?: 'json';
}

export function defineServer(program: Command): void {
  const command = program.command('server').description('the control plane on its own; nodes join with `k8ts agent`');
  addonPortOptions(outputOption(controlPlaneOptions(command)))
    .option('--detach', 'return when the control plane is ready; it goes on in the background')
    .action(async (flags: ServerFlags) => {
      if (flags.detach) {
        const { runDetached } = await import('./detached.ts');
        await runDetached({ flags });
        return;
      }
      const { runForeground } = await import('./foreground.ts');
      // The nodes' containers are real, on whatever hosts they are.
      const options = { ...clusterOptions(flags), ...addonPorts(flags), runtime: 'containerd' as const, nodes: 0 };
      await runForeground({ command: 'server', options, flags });
    });
}
