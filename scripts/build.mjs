// Builds dist/: the bundled program and library, their types, and the dashboard's web page.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root, say } from './ensure.mjs';

const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const sources = ['src', 'dashboard', 'scripts', 'package.json', 'package-lock.json'];

if (process.argv.includes('--if-stale') && existsSync(stamp) && newest(sources) <= statSync(stamp).mtimeMs)
  process.exit(0);

async function buildProgram() {
  const { build } = await import('esbuild');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { metafile } = await build({
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
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
    metafile: true,
    plugins: [namedDynamicImports],
  });
  // What older builds left goes after an hour: a failed build leaves the last good one in place, and a cluster that runs
  // while one builds loads parts of its own build yet.
  const old = Date.now() - 3_600_000;
  const written = new Set(Object.keys(metafile.outputs).map((path) => join(root, path)));
  for (const folder of [dist, join(dist, 'chunks')]) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isFile() && path !== stamp && !written.has(path) && statSync(path).mtimeMs < old) rmSync(path);
    }
  }
}

/**
 * `const { parse } = await import('yaml')` works in Node for CommonJS packages; esbuild's split chunks export their
 * default alone. This puts a module between that exports their names.
 */
const namedDynamicImports = {
  name: 'named-dynamic-imports',
  setup(build) {
    const require = createRequire(import.meta.url);
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      if (
        kind !== 'dynamic-import' ||
        path.startsWith('node:') ||
        build.initialOptions.external.includes(path) ||
        !importer.startsWith(join(root, 'src'))
      )
        return undefined;
      return { path, namespace: 'named-dynamic-import' };
    });
    build.onLoad({ filter: /.*/, namespace: 'named-dynamic-import' }, ({ path }) => {
      const { module, type } = readPackage(path);
      const isModule = module !== undefined || type === 'module';
      if (isModule) return { contents: `export * from ${JSON.stringify(path)};`, resolveDir: root };
      const names = Object.keys(require(path)).filter((name) => name !== 'default' && /^[\w$]+$/.test(name));
      const exports = names.map((name) => `export const ${name} = from.${name};`).join('\n');
      const contents = `import * as all from ${JSON.stringify(path)};\nconst from = all.default ?? all;\nexport default from;\n${exports}`;
      return { contents, resolveDir: root };
    });
  },
};

function readPackage(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
}

async function buildDashboard() {
  const page = join(root, 'dashboard');
  const out = join(dist, 'dashboard');
  if (!existsSync(join(page, 'index.html'))) return;
  if (existsSync(join(out, 'index.html')) && newest(['dashboard']) <= statSync(join(out, 'index.html')).mtimeMs) return;
  const { build } = await import('vite');
  await build({
    root: page,
    configFile: join(page, 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: out, emptyOutDir: true },
  });
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

const started = Date.now();
await buildProgram();
await buildDashboard();
if (process.argv.includes('--types')) await buildTypes();
writeFileSync(stamp, '');
say(`built dist/ in ${((Date.now() - started) / 1000).toFixed(1)} s`);
