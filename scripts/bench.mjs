// `npm run bench -- boot|api [options]`: bundles the benchmarks of bench/ into .cache/bench and runs one.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkNode, ensureBuilt, root, say } from './ensure.mjs';

const [name, ...options] = process.argv.slice(2);
const benchmarks = { boot: 'time until the cluster is ready', api: 'server CPU, latency and memory of the API server' };
if (!Object.hasOwn(benchmarks, name ?? '')) {
  say('Usage: npm run bench -- NAME [options]   (NAME --help shows its options)\n');
  for (const [known, about] of Object.entries(benchmarks)) say(`  ${known.padEnd(6)} ${about}`);
  process.exit(name === undefined || name === '--help' ? 0 : 1);
}
checkNode();
// What users start is the built program.
if (name === 'boot') ensureBuilt();

const { build } = await import('esbuild');
const out = join(root, '.cache', 'bench');
const entries = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts'));
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(entries.map((file) => [basename(file, '.ts'), join('bench', file)])),
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  outExtension: { '.js': '.mjs' },
  define: { __K8TS_VERSION__: '"bench"', __BENCH_ROOT__: JSON.stringify(root) },
  logLevel: 'warning',
});
const { status, signal } = spawnSync(process.execPath, [join(out, `${name}.mjs`), ...options], { stdio: 'inherit' });
process.exit(signal ? 1 : status);
