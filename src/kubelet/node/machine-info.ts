import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import type { NodeSystemInfo } from '../../api/types/core.v1.gen.ts';
import type { RuntimeInfo } from '../runtime/container-runtime.ts';

const KUBELET_VERSION = 'v1.36.0';

export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  /** `amd64`, `arm64`, ... */
  readonly architecture: string;
}

export function readMachine(): Machine {
  return {
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    architecture: { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch,
  };
}

export function systemInfo(runtime: RuntimeInfo, machine: Machine): NodeSystemInfo {
  return {
    architecture: machine.architecture,
    bootID: read('/proc/sys/kernel/random/boot_id'),
    containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
    kernelVersion: os.release(),
    kubeProxyVersion: '',
    kubeletVersion: KUBELET_VERSION,
    machineID: read('/etc/machine-id') || read('/var/lib/dbus/machine-id'),
    operatingSystem: 'linux',
    osImage: osImage(),
    systemUUID: read('/sys/class/dmi/id/product_uuid') || read('/etc/machine-id'),
  };
}

function osImage(): string {
  const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(read('/etc/os-release'))?.[1];
  return name ?? `${os.type()} ${os.release()}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** What is kept back from pods so that the node itself lives: upstream's default eviction threshold. */
const RESERVED_MEMORY_BYTES = 100 * 1024 * 1024;

export interface NodeResources {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

/** `overrides` replace what the machine has, e.g. for simulated nodes. */
export async function nodeResources(
  machine: Machine,
  directory: string,
  maxPods: number,
  overrides: Readonly<Record<string, string>> = {},
): Promise<NodeResources> {
  const disk = await statfs(directory).catch(() => undefined);
  const diskBytes = disk ? disk.blocks * disk.bsize : 0;
  const common = { cpu: String(machine.cpus), 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', pods: String(maxPods) };
  return {
    capacity: {
      ...common,
      'ephemeral-storage': `${Math.floor(diskBytes / 1024)}Ki`,
      memory: kibibytes(machine.memoryBytes),
      ...overrides,
    },
    allocatable: {
      ...common,
      'ephemeral-storage': String(Math.floor(diskBytes * 0.9)),
      memory: kibibytes(Math.max(0, machine.memoryBytes - RESERVED_MEMORY_BYTES)),
      ...overrides,
    },
  };
}

const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;
