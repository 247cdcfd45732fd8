import type { Command } from 'commander';
import { dataDirOption, oneOf } from './shared-options.ts';

interface AgentFlags {
  readonly dataDir: string;
  readonly server: string;
  readonly token: string;
  readonly nodeName?: string;
  readonly nodeIp?: string;
  readonly runtime?: 'containerd' | 'simulated';
  readonly containerRuntimeEndpoint?: string;
  readonly installMissing?: boolean;
}

export function defineAgent(program: Command): void {
  const command = program.command('agent').description('a node on its own, which joins a `k8ts server`');
  dataDirOption(command)
    .requiredOption('--server <url>', 'of the API server, e.g. https://10.0.0.1:6443')
    .requiredOption('--token <token>', 'the join token that the server keeps in join-token of its data directory')
    .option('--node-name <name>', "this node's name (default: the host's)")
    .option('--node-ip <address>', "this node's address (default: the one that reaches the server)")
    .option(
      '--runtime <name>',
      'containerd (real containers) or simulated (no root needed)',
      oneOf('containerd', 'simulated'),
    )
    .option('--container-runtime-endpoint <socket>', 'an existing CRI socket, in place of a containerd of our own')
    .option('--install-missing', 'install missing Debian packages (needs root)')
    .action(async (flags: AgentFlags) => {
      const { runtimeFor } = await import('./requirements.ts');
      const runtime = await runtimeFor(flags);
      const { runAgent } = await import('./agent-run.ts');
      await runAgent({ ...flags, runtime });
    });
}
