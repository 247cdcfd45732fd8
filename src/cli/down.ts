import type { Command } from 'commander';
import { dataDirOption } from './shared-options.ts';

export function defineDown(program: Command): void {
  const command = program.command('down').description('stop a cluster and everything that runs in it');
  dataDirOption(command)
    .option('--purge', 'also delete its data directory')
    .action(async (flags: { dataDir: string; purge?: boolean }) => {
      const { takeDown } = await import('../cluster/take-down.ts');
      const { stoppedPid, cleaned } = await takeDown(flags.dataDir, { purge: flags.purge === true });
      const what = stoppedPid ? `stopped (process ${stoppedPid})` : 'no cluster was running';
      process.stdout.write(
        `${what}${cleaned.length ? `; cleaned up: ${cleaned.join(', ')}` : ''}${flags.purge ? `; deleted ${flags.dataDir}` : ''}\n`,
      );
    });
}
