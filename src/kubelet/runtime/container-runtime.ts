import type { Readable, Writable } from 'node:stream';
import type {
  ContainerConfig,
  LinuxContainerResources,
  PodSandboxConfig,
  PodSandboxMetadata,
} from './sandbox-config.ts';

export type { PodSandboxMetadata };

/** Of a runtime's objects: labels the kubelet sets and reads back when it adopts what runs already. */
export const POD_NAME_LABEL = 'io.kubernetes.pod.name';
export const POD_NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';
export const POD_UID_LABEL = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME_LABEL = 'io.kubernetes.container.name';

export type SandboxState = 'ready' | 'notReady';
export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';

/** Times here and below are epoch milliseconds; 0 means never. */
export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: SandboxState;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface PodSandboxStatus extends PodSandbox {
  /** Empty for a pod on the host's network. */
  readonly ips: readonly string[];
}

export interface RuntimeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  /** As the container's config named it. */
  readonly image: string;
  readonly imageRef: string;
  readonly imageId: string;
  readonly state: ContainerState;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuntimeContainerStatus extends RuntimeContainer {
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, ... */
  readonly reason: string;
  readonly message: string;
  /** Absolute. */
  readonly logPath: string;
  readonly resources?: LinuxContainerResources;
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
  readonly mounts: readonly { readonly containerPath: string; readonly hostPath: string; readonly readonly: boolean }[];
}

/** Selects by any of these; empty selects all. */
export interface RuntimeFilter {
  readonly id?: string;
  readonly sandboxId?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The methods of the runtime's parts throw RuntimeError, with the code NotFound for an object that is gone. */
export interface PodSandboxes {
  /** Sets the pod's network up too. Resolves to the sandbox id. */
  run(config: PodSandboxConfig, runtimeHandler: string): Promise<string>;
  /** Kills what runs in it and takes its network down. Idempotent. */
  stop(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  list(filter?: RuntimeFilter): Promise<readonly PodSandbox[]>;
  status(id: string): Promise<PodSandboxStatus>;
}

export interface Containers {
  create(sandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string>;
  start(id: string): Promise<void>;
  /** SIGTERM (or the image's stop signal), SIGKILL after `timeoutSeconds`. Resolves when it has exited. Idempotent. */
  stop(id: string, timeoutSeconds: number): Promise<void>;
  remove(id: string): Promise<void>;
  list(filter?: RuntimeFilter): Promise<readonly RuntimeContainer[]>;
  status(id: string): Promise<RuntimeContainerStatus>;
  updateResources(id: string, resources: LinuxContainerResources): Promise<void>;
  /** After the log file was renamed. */
  reopenLog(id: string): Promise<void>;
  /** Runs to its end. `timeoutSeconds` 0 is no limit; a missed one rejects with the code DeadlineExceeded. */
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>;
  /**
   * Without processes nothing listens where probes and HTTP hooks connect to: such a runtime answers for them, exec probes
   * included. Resolves to why the handler failed, or `undefined`.
   */
  answerHandler?(id: string, handler: HandlerKind): Promise<string | undefined>;
}

export type HandlerKind = 'startup' | 'liveness' | 'readiness' | 'lifecycle';

export interface ExecResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface RuntimeImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** The user the image runs as: a number, a name, or neither (root). */
  readonly uid?: number;
  readonly username?: string;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly serverAddress?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface FilesystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

export interface Images {
  list(): Promise<readonly RuntimeImage[]>;
  /** `undefined` when the image is not there. */
  status(image: string): Promise<RuntimeImage | undefined>;
  /** Resolves to the image's reference. */
  pull(image: string, auth: RegistryAuth | undefined, sandboxConfig: PodSandboxConfig | undefined): Promise<string>;
  remove(image: string): Promise<void>;
  filesystems(): Promise<readonly FilesystemUsage[]>;
}

export interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** What an in-process session reads and writes. Absent streams were not asked for. */
export interface SessionStreams {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly resize?: AsyncIterable<TerminalSize>;
  readonly signal: AbortSignal;
}

/**
 * Where the bytes of exec, attach and port-forward are: at the runtime's own streaming server (CRI; speaks SPDY and
 * WebSocket as the kubelet's does, so the bytes are tunnelled), or in this process.
 */
export type StreamSession =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'local'; run(streams: SessionStreams): Promise<{ readonly exitCode: number }> };

export type PortForwardSession =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'local'; connect(port: number): Promise<NodeJS.ReadWriteStream> };

export interface Streaming {
  exec(containerId: string, command: readonly string[], options: StreamOptions): Promise<StreamSession>;
  attach(containerId: string, options: StreamOptions): Promise<StreamSession>;
  portForward(sandboxId: string, ports: readonly number[]): Promise<PortForwardSession>;
}

/** Usage of one container; absent figures are not known. Bytes, nanoseconds, epoch milliseconds. */
export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timestamp: number;
  readonly cpuUsageCoreNanoSeconds?: number;
  readonly memoryWorkingSetBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly memoryRssBytes?: number;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
  readonly writableLayerBytes?: number;
  readonly writableLayerInodes?: number;
}

export interface Stats {
  containers(filter?: RuntimeFilter): Promise<readonly ContainerStats[]>;
}

export interface LogEntry {
  /** Epoch milliseconds. */
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  /** One line, without its end. */
  readonly text: string;
}

export interface ContainerLogs {
  /** All there is, oldest first. */
  read(containerId: string): Promise<readonly LogEntry[]>;
  /** Gives what there is and then what comes; resolves when the container has exited or `signal` is aborted. */
  follow(containerId: string, onEntry: (entry: LogEntry) => void, signal: AbortSignal): Promise<void>;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly version: string;
  readonly apiVersion: string;
}

export interface RuntimeCondition {
  /** `RuntimeReady`, `NetworkReady`. */
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface RuntimeStatus {
  readonly conditions: readonly RuntimeCondition[];
  /** Names of the runtime handlers that RuntimeClass may ask for; empty when the runtime doesn't say. */
  readonly handlers: readonly string[];
}

/**
 * What runs pods: a container runtime over CRI, or the simulated one. Times, ids and states mean the same in both, so the
 * kubelet above doesn't know which it has but for `realProcesses`.
 */
export interface ContainerRuntime {
  /** False when there is no process behind a container: then the kubelet makes no files, mounts and cgroups. */
  readonly realProcesses: boolean;
  readonly sandboxes: PodSandboxes;
  readonly containers: Containers;
  readonly images: Images;
  readonly streaming: Streaming;
  readonly stats: Stats;
  /** Of a runtime whose containers write no log files (their `logPath` is empty). */
  readonly logs?: ContainerLogs;
  info(): Promise<RuntimeInfo>;
  status(): Promise<RuntimeStatus>;
  /**
   * Tells of pods whose sandboxes or containers changed, where the runtime can; `undefined` for `podUid` means any may have.
   * `complete` says that no change goes untold, so the kubelet need not list every second. Returns the end of it.
   */
  subscribe?(onChange: (podUid: string | undefined) => void): { readonly complete: boolean; stop(): void };
  close(): Promise<void>;
}
