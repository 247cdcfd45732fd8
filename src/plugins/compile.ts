import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CodedError } from '../apimachinery/coded-error.ts';

/** Where a compiled plugin finds the SDK: the host's own copy, so that errors it throws are the host's errors. */
const SDK = Symbol.for('k8ts/sdk');
const COMPILE_DEADLINE_MS = 30_000;
const NEEDS_ESBUILD =
  'Install esbuild beside k8ts (npm install esbuild), run Node 22.18 or newer, or write the plugin as JavaScript.';

/**
 * Imports a plugin's entry file, whatever it is written in. With esbuild, TypeScript and `k8ts/sdk` work wherever the file
 * lies; without it, Node must be able to load the file by itself. Throws CodedError.
 */
export async function importPlugin(entry: string, workDirectory: string): Promise<{ readonly default?: unknown }> {
  const esbuild = findEsbuild();
  if (esbuild) return importFile(await compile(esbuild, entry, workDirectory));
  const isTypeScript = /\.[cm]?ts$/.test(entry);
  if (isTypeScript && !(process.features as { typescript?: unknown }).typescript) {
    throw new CodedError(
      'PLUGIN_NEEDS_COMPILER',
      `${entry} is TypeScript, and neither esbuild nor this Node (${process.version}) can run it`,
      NEEDS_ESBUILD,
    );
  }
  return importFile(entry);
}

async function importFile(file: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' && message.includes('k8ts');
    throw new CodedError(
      'PLUGIN_IMPORT_FAILED',
      `it can't be imported: ${message}`,
      missing
        ? 'Install k8ts in the folder of the plugin (npm install k8ts), or esbuild beside k8ts.'
        : 'Correct the plugin and start again.',
      { cause: error },
    );
  }
}

/** The path of esbuild's program, or undefined when it is not installed. */
function findEsbuild(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('esbuild/bin/esbuild');
  } catch {
    return undefined;
  }
}

async function compile(esbuild: string, entry: string, workDirectory: string): Promise<string> {
  await mkdir(workDirectory, { recursive: true, mode: 0o700 });
  const output = join(
    workDirectory,
    `${createHash('sha256').update(entry).digest('hex').slice(0, 16)}-${process.pid}-${Math.random().toString(36).slice(2)}.mjs`,
  );
  const sdk = await provideSdk(workDirectory);
  const require =
    "import { createRequire as k8tsCreateRequire } from 'node:module'; const require = k8tsCreateRequire(import.meta.url);";
  await run(esbuild, [
    entry,
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--target=node20',
    '--loader:.node=copy',
    '--log-level=error',
    '--color=false',
    '--sourcemap=inline',
    `--banner:js=${require}`,
    `--alias:k8ts/sdk=${sdk}`,
    `--outfile=${output}`,
  ]);
  // A file of its own content's name is imported once, however often the plugin is loaded.
  const hash = createHash('sha256')
    .update(await readFile(output))
    .digest('hex')
    .slice(0, 24);
  const kept = join(workDirectory, `plugin-${hash}.mjs`);
  await rename(output, kept);
  return kept;
}

/** Writes the module that stands for `k8ts/sdk` in compiled plugins. */
async function provideSdk(workDirectory: string): Promise<string> {
  const sdk = await import('../sdk/index.ts');
  // Constant for the process, however many clusters run in it: the same code under every one of them.
  (globalThis as Record<symbol, unknown>)[SDK] ??= sdk;
  const file = join(workDirectory, 'sdk.mjs');
  const names = Object.keys(sdk).filter((name) => name !== 'default');
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(temporary, `export const { ${names.join(', ')} } = globalThis[Symbol.for('k8ts/sdk')];\n`);
  await rename(temporary, file);
  return file;
}

function run(esbuild: string, args: readonly string[]): Promise<void> {
  // On Windows the program is a script.
  const [command, given] = process.platform === 'win32' ? [process.execPath, [esbuild, ...args]] : [esbuild, args];
  return new Promise((resolve, reject) => {
    const child = spawn(command, given, { stdio: ['ignore', 'ignore', 'pipe'], timeout: COMPILE_DEADLINE_MS });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < 4000) errors += text;
    });
    child.on('error', (error) =>
      reject(
        new CodedError('PLUGIN_COMPILE_FAILED', `esbuild can't be run: ${error.message}`, NEEDS_ESBUILD, {
          cause: error,
        }),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new CodedError(
            'PLUGIN_COMPILE_FAILED',
            `it can't be compiled: ${firstError(errors) || `esbuild ended with ${code}`}`,
            'Correct the plugin and start again.',
          ),
        );
    });
  });
}

/** `index.ts:3:7: Could not resolve "x"` out of esbuild's report. */
function firstError(report: string): string {
  const lines = report
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const message = lines.find((line) => line.includes('[ERROR]'))?.replace(/^.*\[ERROR\]\s*/, '') ?? '';
  const place = lines.find((line) => /:\d+:\d+:$/.test(line))?.replace(/:$/, '');
  return place ? `${place}: ${message}` : message;
}

/** Takes away what `importPlugin` left in a directory that was made for it. */
export async function removeCompiled(workDirectory: string): Promise<void> {
  await rm(workDirectory, { recursive: true, force: true });
}
