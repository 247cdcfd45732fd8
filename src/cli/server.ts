import type { Command } from 'commander';
import { type ControlPlaneFlags, clusterOptions, controlPlaneOptions, outputOption } from './shared-options.ts';

export function defineServer(program: Command): void {
  const command = program.command('server').description('the control plane on its own; nodes join with `k8ts agent`');
  outputOption(controlPlaneOptions(command)).action(
    async (flags: ControlPlaneFlags & { mergeKubeconfig?: boolean; output?: 'json' }) => {
      const { runForeground } = await import('./foreground.ts');
      await runForeground({ command: 'server', options: { ...clusterOptions(flags), nodes: 0 }, flags });
    },
  );
}
