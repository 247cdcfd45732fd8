import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a cluster leaves on the host while it runs and must not leave afterwards: processes (zombies are not counted),
 * mounts, nftables tables, interfaces and cgroups. `known` adds the network namespaces that were its pods'.
 */
export function tracesOf(dataDir: string, known: readonly string[] = []): string[] {
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  return [
    ...processesOf(dataDir).map(({ pid, command }) => `process ${pid}: ${command}`),
    ...mounts().filter((target) => target.startsWith(`${dataDir}/`)),
    ...run('nft', ['list', 'tables']).filter((line) => line.includes(id)),
    ...names('/sys/class/net').filter((name) => name.includes(id)),
    ...cgroupsOf(dataDir),
    ...names('/run/netns').filter((name) => known.includes(name)),
  ];
}

/** Processes that name the data directory in their arguments, and those in its pods' cgroups. */
export function processesOf(dataDir: string): { pid: number; command: string }[] {
  const found = new Map<number, string>();
  for (const name of names('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const command = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
    if (command.includes(dataDir) || read(`/proc/${name}/cgroup`).includes(cgroupName(dataDir)))
      found.set(Number(name), command);
  }
  return [...found].map(([pid, command]) => ({ pid, command }));
}

/** Names in /run/netns of the network namespaces that the cluster's pods are in. */
export function networkNamespacesOf(dataDir: string): string[] {
  const inodes = new Set<string>();
  for (const { pid } of processesOf(dataDir)) {
    try {
      inodes.add(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0]);
    } catch {
      // it has ended
    }
  }
  const own = statSync('/proc/self/ns/net').ino.toString();
  return names('/run/netns').filter((name) => {
    try {
      const inode = statSync(join('/run/netns', name)).ino.toString();
      return inode !== own && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

/** As the kubelet names the cgroups of a node with this data directory. */
function cgroupName(dataDir: string): string {
  return `k8ts-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
}

function cgroupsOf(dataDir: string): string[] {
  const root = '/sys/fs/cgroup';
  return ['.', ...names(root)]
    .map((name) => join(root, name, cgroupName(dataDir)))
    .filter((path) => names(path).length > 0);
}

function mounts(): string[] {
  return read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function run(command: string, args: readonly string[]): string[] {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
  } catch {
    return [];
  }
}
