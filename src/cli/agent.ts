import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { CodedError } from '../apimachinery/coded-error.ts';
import { AGENT_DISABLEABLE } from '../cluster/options.ts';
import { oneOf, parseList } from './option-values.ts';
import { dataDirOption, outputOption } from './shared-options.ts';

interface AgentFlags {
  readonly dataDir: string;
  readonly server: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly nodeName?: string;
  readonly nodeIp?: string;
  readonly runtime?: 'containerd' | 'simulated';
  readonly containerRuntimeEndpoint?: string;
  readonly disable: readonly string[];
  readonly installMissing?: boolean;
  readonly detach?: boolean;
  readonly timings?: string;
  readonly output?: 'json';
}

export function defineAgent(program: Command): void {
  const command = program.command('agent').description('a node on its own, which joins a `k8ts server`');
  outputOption(dataDirOption(command))
    .requiredOption('--server <url>', 'of the API server, e.g. https://10.0.0.1:6443')
    .option('--token <token>', 'the join token that the server keeps in join-token of its data directory')
    .option('--token-file <file>', 'a file with the join token', readToken)
    .option('--node-name <name>', "this node's name (default: the host's)")
    .option('--node-ip <address>', "this node's address (default: the one that reaches the server)")
    .option(
      '--runtime <name>',
      'containerd (real containers) or simulated (no root needed)',
      oneOf('containerd', 'simulated'),
    )
    .option('--container-runtime-endpoint <socket>', 'an existing CRI socket, in place of a containerd of our own')
    .option('--disable <name,...>', `parts that do not start: ${AGENT_DISABLEABLE.join(', ')}`, parseList, [])
    .option('--detach', 'return when the node is ready; it goes on in the background')
    .option('--install-missing', 'install missing Debian packages (needs root)')
    .option('--timings <file>', 'write the boot timeline as JSON')
    .action(async ({ tokenFile, installMissing, detach, ...flags }: AgentFlags) => {
      const token = flags.token ?? tokenFile;
      if (!token)
        throw new CodedError(
          'INVALID_OPTION',
          'the join token is missing',
          'Give it with --token or --token-file: the server keeps it in join-token of its data directory.',
        );
      const { runtimeFor } = await import('./requirements.ts');
      const runtime = await runtimeFor({ ...flags, installMissing });
      if (detach) {
        const { runDetached } = await import('./detached.ts');
        await runDetached({ flags });
        return;
      }
      const { runAgent } = await import('./agent-run.ts');
      await runAgent({ ...flags, token, runtime });
    });
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new InvalidArgumentError(`the file can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
