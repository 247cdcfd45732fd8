// Makes sure that what a command needs is on the machine, and says in one line what it installs. Plain JavaScript
// without dependencies: it runs before anything is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Debian packages by what they bring; `probe` is a file or a command that shows that it is there. */
export const NODE_PACKAGES = [
  { name: 'containerd', probe: 'containerd' },
  { name: 'runc', probe: 'runc' },
  { name: 'containernetworking-plugins', probe: '/usr/lib/cni/bridge' },
  { name: 'nftables', probe: 'nft' },
  { name: 'iproute2', probe: 'ip' },
  { name: 'conntrack', probe: 'conntrack' },
];
export const TEST_PACKAGES = [
  ...NODE_PACKAGES,
  { name: 'busybox-static', probe: '/bin/busybox' },
  { name: 'etcd-server', probe: 'etcd' },
  { name: 'docker-registry', probe: 'docker-registry' },
  { name: 'chromium', probe: 'chromium' },
  { name: 'openssl', probe: 'openssl' },
  { name: 'python3-kubernetes', probe: '/usr/lib/python3/dist-packages/kubernetes' },
];

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(`k8ts needs Node.js 20.19 or later; this is ${process.versions.node}.\n`);
  process.exit(1);
}

/** Installs the npm packages of the lock file unless this very lock file was installed before. */
export function ensureNpmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.k8ts-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing the npm packages of package-lock.json');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    process.stderr.write('npm ci failed: is the npm registry reachable?\n');
    process.exit(1);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, lock);
}

/** Installs missing Debian packages when root and apt-get are there. Returns the names of those still missing. */
export function ensureDebianPackages(packages) {
  const missing = packages.filter((wanted) => !isThere(wanted.probe));
  if (missing.length === 0) return [];
  const names = missing.map((wanted) => wanted.name);
  if (process.platform !== 'linux' || process.getuid() !== 0 || !onPath('apt-get')) return names;
  for (const name of names) say(`installing the Debian package ${name}`);
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  // The first try spares a machine whose package lists are fresh the update.
  const install = () => spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], options);
  if (install().status !== 0) {
    spawnSync('apt-get', ['update', '-qq'], options);
    install();
  }
  return missing.filter((wanted) => !isThere(wanted.probe)).map((wanted) => wanted.name);
}

export function say(text) {
  process.stderr.write(`${text}\n`);
}

const isThere = (probe) => (probe.startsWith('/') ? existsSync(probe) : onPath(probe));

function onPath(command) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, command)));
}

/** Builds dist/ unless it is newer than every source. */
export function ensureBuilt() {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
