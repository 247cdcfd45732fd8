import { randomBytes } from 'node:crypto';
import type { ContainerState, PodSandboxMetadata, RuntimeFilter, SandboxState } from '../container-runtime.ts';
import { POD_UID_LABEL } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { LinuxContainerResources } from '../sandbox-config.ts';
import type { ContainerBehaviour } from './behaviour.ts';

export interface SandboxRecord {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
  state: SandboxState;
  ips: readonly string[];
}

export interface ContainerRecord {
  readonly id: string;
  readonly sandbox: SandboxRecord;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly imageRef: string;
  readonly imageId: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly behaviour: ContainerBehaviour;
  readonly stdinOnce: boolean;
  readonly logPath: string;
  state: ContainerState;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  resources: LinuxContainerResources | undefined;
  /** Of the end that is to come by itself. */
  timer: NodeJS.Timeout | undefined;
  /** Of who waits for the end. */
  waiting: (() => void)[] | undefined;
}

interface PodRecord {
  readonly sandboxes: SandboxRecord[];
  readonly containers: ContainerRecord[];
  /** Later ones have later times, also within a millisecond. */
  newestAt: number;
}

/** All sandboxes and containers of one runtime, found by id and by pod. */
export interface Records {
  sandbox(id: string): SandboxRecord;
  container(id: string): ContainerRecord;
  /** A time of creation that no other object of the pod has. */
  createdAt(podUid: string, now: number): number;
  addSandbox(record: SandboxRecord): void;
  addContainer(record: ContainerRecord): void;
  removeSandbox(record: SandboxRecord): void;
  removeContainer(record: ContainerRecord): void;
  containersOf(sandbox: SandboxRecord): readonly ContainerRecord[];
  sandboxes(filter?: RuntimeFilter): readonly SandboxRecord[];
  containers(filter?: RuntimeFilter): readonly ContainerRecord[];
}

export function createRecords(): Records {
  const sandboxes = new Map<string, SandboxRecord>();
  const containers = new Map<string, ContainerRecord>();
  const pods = new Map<string, PodRecord>();

  const podOf = (uid: string) => {
    let pod = pods.get(uid);
    if (!pod) {
      pod = { sandboxes: [], containers: [], newestAt: 0 };
      pods.set(uid, pod);
    }
    return pod;
  };
  const forgetIfEmpty = (uid: string) => {
    const pod = pods.get(uid);
    if (pod?.sandboxes.length === 0 && pod.containers.length === 0) pods.delete(uid);
  };

  return {
    sandbox: (id) => found(sandboxes.get(id), 'sandbox', id),
    container: (id) => found(containers.get(id), 'container', id),
    createdAt(uid, now) {
      const pod = podOf(uid);
      pod.newestAt = Math.max(now, pod.newestAt + 1);
      return pod.newestAt;
    },
    addSandbox(record) {
      sandboxes.set(record.id, record);
      podOf(record.metadata.uid).sandboxes.push(record);
    },
    addContainer(record) {
      containers.set(record.id, record);
      podOf(record.sandbox.metadata.uid).containers.push(record);
    },
    removeSandbox(record) {
      sandboxes.delete(record.id);
      remove(podOf(record.metadata.uid).sandboxes, record);
      forgetIfEmpty(record.metadata.uid);
    },
    removeContainer(record) {
      containers.delete(record.id);
      remove(podOf(record.sandbox.metadata.uid).containers, record);
      forgetIfEmpty(record.sandbox.metadata.uid);
    },
    containersOf: (sandbox) =>
      (pods.get(sandbox.metadata.uid)?.containers ?? []).filter((container) => container.sandbox === sandbox),
    sandboxes(filter = {}) {
      const { id, sandboxId, labels } = filter;
      if (id !== undefined || sandboxId !== undefined) return chosen([sandboxes.get(id ?? sandboxId ?? '')], labels);
      const uid = labels?.[POD_UID_LABEL];
      return chosen(uid === undefined ? sandboxes.values() : (pods.get(uid)?.sandboxes ?? []), labels);
    },
    containers(filter = {}) {
      const { id, sandboxId, labels } = filter;
      const uid =
        labels?.[POD_UID_LABEL] ?? (sandboxId === undefined ? undefined : sandboxes.get(sandboxId)?.metadata.uid);
      const some =
        id !== undefined
          ? [containers.get(id)]
          : uid !== undefined
            ? (pods.get(uid)?.containers ?? [])
            : containers.values();
      const matching = chosen(some, labels);
      return sandboxId === undefined ? matching : matching.filter(({ sandbox }) => sandbox.id === sandboxId);
    },
  };
}

/** As long as a container runtime's: 64 hexadecimal digits. */
export const newId = (): string => randomBytes(32).toString('hex');

function found<T>(record: T | undefined, what: string, id: string): T {
  if (!record) throw new RuntimeError('NotFound', `an error occurred when try to find ${what}: not found: ${id}`);
  return record;
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}

function chosen<T extends { readonly labels: Readonly<Record<string, string>> }>(
  items: Iterable<T | undefined>,
  labels: Readonly<Record<string, string>> | undefined,
): T[] {
  const wanted = labels ? Object.entries(labels) : [];
  const result: T[] = [];
  for (const item of items) if (item && wanted.every(([key, value]) => item.labels[key] === value)) result.push(item);
  return result;
}
