// Builds dist/: the bundled program and library, their types, and the dashboard's web page.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, say } from './ensure.mjs';

const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const sources = ['src', 'dashboard', 'scripts', 'package.json', 'package-lock.json'];

if (process.argv.includes('--if-stale') && existsSync(stamp) && newest(sources) <= statSync(stamp).mtimeMs) process.exit(0);

const started = Date.now();
await buildProgram();
await buildDashboard();
if (process.argv.includes('--types')) await buildTypes();
writeFileSync(stamp, '');
say(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);

async function buildProgram() {
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of existsSync(dist) ? readdirSync(dist) : []) {
    if (name !== 'dashboard') rmSync(join(dist, name), { recursive: true });
  }
  await build({
    absWorkingDir: root,
    entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts', sdk: 'src/sdk/index.ts' },
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'linked',
    chunkNames: 'chunks/[name]-[hash]',
    // Native or optional: found in node_modules at run time.
    external: ['lmdb', 'esbuild', 'typescript'],
    define: { __K8TS_VERSION__: JSON.stringify(version) },
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
}

async function buildDashboard() {
  const page = join(root, 'dashboard');
  const out = join(dist, 'dashboard');
  if (!existsSync(join(page, 'index.html'))) return;
  if (existsSync(join(out, 'index.html')) && newest(['dashboard']) <= statSync(join(out, 'index.html')).mtimeMs) return;
  const { build } = await import('vite');
  await build({ root: page, configFile: join(page, 'vite.config.ts'), logLevel: 'warn', build: { outDir: out, emptyOutDir: true } });
}

async function buildTypes() {
  const { spawnSync } = await import('node:child_process');
  const result = spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(1);
  mkdirSync(join(dist, 'types'), { recursive: true });
}

/** Newest modification under the paths, epoch ms. */
function newest(paths) {
  let latest = 0;
  const visit = (path) => {
    const info = statSync(path);
    latest = Math.max(latest, info.mtimeMs);
    if (info.isDirectory()) for (const name of readdirSync(path)) if (name !== 'node_modules') visit(join(path, name));
  };
  for (const path of paths) if (existsSync(join(root, path))) visit(join(root, path));
  return latest;
}
