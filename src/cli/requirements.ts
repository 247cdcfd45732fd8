import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';

/** What real containers need, by the Debian package that brings it. */
const REQUIREMENTS: readonly {
  readonly packageName: string;
  readonly probe: string;
  readonly ownRuntimeOnly?: boolean;
}[] = [
  { packageName: 'containerd', probe: 'containerd', ownRuntimeOnly: true },
  { packageName: 'runc', probe: 'runc', ownRuntimeOnly: true },
  { packageName: 'containernetworking-plugins', probe: '/usr/lib/cni/bridge' },
  { packageName: 'nftables', probe: 'nft' },
  { packageName: 'iproute2', probe: 'ip' },
  { packageName: 'conntrack', probe: 'conntrack' },
];

export interface RuntimeFlags {
  readonly runtime?: 'containerd' | 'simulated';
  readonly containerRuntimeEndpoint?: string;
  readonly installMissing?: boolean;
}

/**
 * The runtime a command line asks for: `containerd` unless it says otherwise, for `k8ts up` promises real containers.
 * Throws CodedError when the machine lacks what that needs, naming the way out; the choice is never made silently.
 */
export async function runtimeFor(flags: RuntimeFlags): Promise<'containerd' | 'simulated'> {
  if (flags.runtime === 'simulated') return 'simulated';
  if (process.platform !== 'linux') {
    throw new CodedError(
      'RUNTIME_UNAVAILABLE',
      `real containers need Linux; this is ${process.platform}`,
      'Use --runtime simulated: pods then go through their life cycle without processes.',
    );
  }
  if (process.getuid?.() !== 0) {
    throw new CodedError(
      'RUNTIME_UNAVAILABLE',
      'real containers need root',
      'Run it as root, or use --runtime simulated: pods then go through their life cycle without processes.',
    );
  }
  let missing = missingPackages(flags);
  if (missing.length && flags.installMissing) {
    install(missing);
    missing = missingPackages(flags);
  }
  if (missing.length) {
    throw new CodedError(
      'PACKAGES_MISSING',
      `not on this machine: ${missing.join(', ')}`,
      `Install them (apt-get install ${missing.join(' ')}), let k8ts do it (--install-missing), or use --runtime simulated.`,
    );
  }
  return 'containerd';
}

function missingPackages(flags: RuntimeFlags): string[] {
  return REQUIREMENTS.filter((need) => !(need.ownRuntimeOnly && flags.containerRuntimeEndpoint))
    .filter((need) => !isThere(need.probe))
    .map((need) => need.packageName);
}

function isThere(probe: string): boolean {
  if (probe.startsWith('/')) return existsSync(probe);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, probe), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function install(packages: readonly string[]): void {
  for (const name of packages) process.stderr.write(`installing the Debian package ${name}\n`);
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  const run = () =>
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options).status === 0;
  if (run()) return;
  spawnSync('apt-get', ['update', '-qq'], options);
  run();
}
