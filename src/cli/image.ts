import type { Command } from 'commander';
import { dataDirOption } from './shared-options.ts';

export function defineImage(program: Command): void {
  const image = program.command('image').description('images of the node');
  const load = image
    .command('load')
    .description("load OCI or docker archives into the nodes' containerd, without a network");
  dataDirOption(load)
    .argument('<file...>', 'tar archives')
    .action(async (files: string[], flags: { dataDir: string }) => {
      const { loadImages } = await import('../cluster/image-load.ts');
      for (const name of await loadImages(flags.dataDir, files)) process.stdout.write(`loaded ${name}\n`);
    });
}
