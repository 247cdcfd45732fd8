import type {
  ContainerState,
  ContainerStats,
  PodSandbox,
  PodSandboxStatus,
  RuntimeContainer,
  RuntimeContainerStatus,
  RuntimeImage,
} from '../container-runtime.ts';
import type { LinuxContainerResources } from '../sandbox-config.ts';

/** CRI answers as proto-loader gives them: defaults filled in, enums as names, int64 as numbers, absent messages as null. */
type StringMap = Readonly<Record<string, string>>;

export interface CriSandbox {
  readonly id: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace: string;
    readonly attempt: number;
  };
  readonly state: string;
  readonly createdAt: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly runtimeHandler: string;
}

export interface CriSandboxStatus extends CriSandbox {
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null;
}

interface CriImageSpec {
  readonly image: string;
  readonly userSpecifiedImage: string;
}

export interface CriContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: CriImageSpec | null;
  readonly imageRef: string;
  readonly imageId: string;
  readonly state: string;
  readonly createdAt: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

export interface CriContainerStatus extends Omit<CriContainer, 'podSandboxId'> {
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly mounts: readonly { readonly containerPath: string; readonly hostPath: string; readonly readonly: boolean }[];
  readonly resources: { readonly linux: LinuxContainerResources | null } | null;
  readonly user: {
    readonly linux: {
      readonly uid: number;
      readonly gid: number;
      readonly supplementalGroups: readonly number[];
    } | null;
  } | null;
}

export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid: { readonly value: number } | null;
  readonly username: string;
}

interface UInt64 {
  readonly value: number;
}

export interface CriContainerStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: { readonly name: string } | null;
    readonly labels: StringMap;
  };
  readonly cpu: { readonly timestamp: number; readonly usageCoreNanoSeconds: UInt64 | null } | null;
  readonly memory: {
    readonly timestamp: number;
    readonly workingSetBytes: UInt64 | null;
    readonly usageBytes: UInt64 | null;
    readonly rssBytes: UInt64 | null;
    readonly pageFaults: UInt64 | null;
    readonly majorPageFaults: UInt64 | null;
  } | null;
  readonly writableLayer: { readonly usedBytes: UInt64 | null; readonly inodesUsed: UInt64 | null } | null;
}

const CONTAINER_STATES: Readonly<Record<string, ContainerState>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
};

const milliseconds = (nanoseconds: number) => (nanoseconds > 0 ? nanoseconds / 1e6 : 0);

export function toSandbox(sandbox: CriSandbox): PodSandbox {
  return {
    id: sandbox.id,
    metadata: sandbox.metadata,
    state: sandbox.state === 'SANDBOX_READY' ? 'ready' : 'notReady',
    createdAt: milliseconds(sandbox.createdAt),
    labels: sandbox.labels,
    annotations: sandbox.annotations,
    runtimeHandler: sandbox.runtimeHandler,
  };
}

export function toSandboxStatus(status: CriSandboxStatus): PodSandboxStatus {
  const network = status.network;
  const ips = network?.ip ? [network.ip, ...network.additionalIps.map(({ ip }) => ip)] : [];
  return { ...toSandbox(status), ips };
}

export function toContainer(container: CriContainer): RuntimeContainer {
  return {
    id: container.id,
    sandboxId: container.podSandboxId,
    name: container.metadata.name,
    attempt: container.metadata.attempt,
    image: container.image?.userSpecifiedImage || container.image?.image || '',
    imageRef: container.imageRef,
    imageId: container.imageId,
    state: CONTAINER_STATES[container.state] ?? 'unknown',
    createdAt: milliseconds(container.createdAt),
    labels: container.labels,
    annotations: container.annotations,
  };
}

export function toContainerStatus(status: CriContainerStatus): RuntimeContainerStatus {
  return {
    ...toContainer({ ...status, podSandboxId: '' }),
    startedAt: milliseconds(status.startedAt),
    finishedAt: milliseconds(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    logPath: status.logPath,
    mounts: status.mounts,
    ...(status.resources?.linux ? { resources: status.resources.linux } : {}),
    ...(status.user?.linux ? { user: status.user.linux } : {}),
  };
}

export function toImage(image: CriImage): RuntimeImage {
  return {
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    sizeBytes: image.size,
    ...(image.uid ? { uid: image.uid.value } : {}),
    ...(image.username ? { username: image.username } : {}),
  };
}

export function toContainerStats(stats: CriContainerStats): ContainerStats {
  const figure = (name: string, value: UInt64 | null | undefined) => (value ? { [name]: value.value } : {});
  return {
    id: stats.attributes.id,
    name: stats.attributes.metadata?.name ?? '',
    labels: stats.attributes.labels,
    timestamp: milliseconds(stats.cpu?.timestamp ?? stats.memory?.timestamp ?? 0),
    ...figure('cpuUsageCoreNanoSeconds', stats.cpu?.usageCoreNanoSeconds),
    ...figure('memoryWorkingSetBytes', stats.memory?.workingSetBytes),
    ...figure('memoryUsageBytes', stats.memory?.usageBytes),
    ...figure('memoryRssBytes', stats.memory?.rssBytes),
    ...figure('pageFaults', stats.memory?.pageFaults),
    ...figure('majorPageFaults', stats.memory?.majorPageFaults),
    ...figure('writableLayerBytes', stats.writableLayer?.usedBytes),
    ...figure('writableLayerInodes', stats.writableLayer?.inodesUsed),
  };
}
