import type {
  ContainerRuntime,
  Containers,
  Images,
  PodSandboxes,
  RuntimeCondition,
  RuntimeFilter,
  Stats,
  Streaming,
  StreamOptions,
} from '../container-runtime.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { ContainerConfig } from '../sandbox-config.ts';
import {
  type CriContainer,
  type CriContainerStats,
  type CriContainerStatus,
  type CriImage,
  type CriSandbox,
  type CriSandboxStatus,
  toContainer,
  toContainerStats,
  toContainerStatus,
  toImage,
  toSandbox,
  toSandboxStatus,
} from './cri-messages.ts';
import { type GrpcService, openGrpcChannel } from './grpc-channel.ts';

const RUNTIME_SERVICE = 'runtime.v1.RuntimeService';
const IMAGE_SERVICE = 'runtime.v1.ImageService';
const QUICK_MS = 10_000;
const PULL_MS = 30 * 60_000;
/** The runtime's own slack over the time a call is given. */
const SLACK_MS = 20_000;

export interface CriRuntimeOptions {
  /** `unix:///run/containerd/containerd.sock`, or a path. */
  readonly endpoint: string;
}

/** A container runtime that speaks CRI v1: containerd, CRI-O. Connects at the first call and reconnects by itself. */
export async function createCriRuntime({ endpoint }: CriRuntimeOptions): Promise<ContainerRuntime> {
  const { default: descriptor } = await import('../proto/cri.json', { with: { type: 'json' } });
  const channel = await openGrpcChannel(endpoint, descriptor);
  const runtime = channel.service(RUNTIME_SERVICE);
  const images = channel.service(IMAGE_SERVICE);
  return {
    realProcesses: true,
    sandboxes: sandboxesOf(runtime),
    containers: containersOf(runtime),
    images: imagesOf(images),
    streaming: streamingOf(runtime),
    stats: statsOf(runtime),
    async info() {
      const answer = await runtime.call<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }>(
        'Version',
        {},
        QUICK_MS,
      );
      return { name: answer.runtimeName, version: answer.runtimeVersion, apiVersion: answer.runtimeApiVersion };
    },
    async status() {
      const answer = await runtime.call<{
        status: { conditions: RuntimeCondition[] } | null;
        runtimeHandlers: { name: string }[];
      }>('Status', {}, QUICK_MS);
      return { conditions: answer.status?.conditions ?? [], handlers: answer.runtimeHandlers.map(({ name }) => name) };
    },
    async close() {
      channel.close();
    },
  };
}

function sandboxesOf(runtime: GrpcService): PodSandboxes {
  return {
    async run(config, runtimeHandler) {
      return (await runtime.call<{ podSandboxId: string }>('RunPodSandbox', { config, runtimeHandler }, 240_000))
        .podSandboxId;
    },
    async stop(podSandboxId) {
      await runtime.call('StopPodSandbox', { podSandboxId });
    },
    async remove(podSandboxId) {
      await runtime.call('RemovePodSandbox', { podSandboxId });
    },
    async list(filter) {
      const answer = await runtime.call<{ items: CriSandbox[] }>(
        'ListPodSandbox',
        { filter: sandboxFilter(filter) },
        QUICK_MS * 3,
      );
      return answer.items.map(toSandbox);
    },
    async status(podSandboxId) {
      const answer = await runtime.call<{ status: CriSandboxStatus | null }>(
        'PodSandboxStatus',
        { podSandboxId },
        QUICK_MS * 3,
      );
      if (!answer.status) throw new RuntimeError('NotFound', `sandbox ${podSandboxId} has no status`);
      return toSandboxStatus(answer.status);
    },
  };
}

function containersOf(runtime: GrpcService): Containers {
  return {
    async create(podSandboxId, config, sandboxConfig) {
      const answer = await runtime.call<{ containerId: string }>('CreateContainer', {
        podSandboxId,
        config: wireConfig(config),
        sandboxConfig,
      });
      return answer.containerId;
    },
    async start(containerId) {
      await runtime.call('StartContainer', { containerId });
    },
    async stop(containerId, timeoutSeconds) {
      const timeout = Math.max(0, Math.round(timeoutSeconds));
      await runtime.call('StopContainer', { containerId, timeout }, timeout * 1000 + SLACK_MS);
    },
    async remove(containerId) {
      await runtime.call('RemoveContainer', { containerId });
    },
    async list(filter) {
      const answer = await runtime.call<{ containers: CriContainer[] }>(
        'ListContainers',
        { filter: containerFilter(filter) },
        QUICK_MS * 3,
      );
      return answer.containers.map(toContainer);
    },
    async status(containerId) {
      const answer = await runtime.call<{ status: CriContainerStatus | null }>(
        'ContainerStatus',
        { containerId },
        QUICK_MS * 3,
      );
      if (!answer.status) throw new RuntimeError('NotFound', `container ${containerId} has no status`);
      return toContainerStatus(answer.status);
    },
    async updateResources(containerId, linux) {
      await runtime.call('UpdateContainerResources', { containerId, linux });
    },
    async reopenLog(containerId) {
      await runtime.call('ReopenContainerLog', { containerId }, QUICK_MS);
    },
    async execSync(containerId, cmd, timeoutSeconds) {
      const timeout = Math.max(0, Math.round(timeoutSeconds));
      return await runtime.call('ExecSync', { containerId, cmd, timeout }, timeout > 0 ? timeout * 1000 + SLACK_MS : 0);
    },
  };
}

function imagesOf(images: GrpcService): Images {
  return {
    async list() {
      return (await images.call<{ images: CriImage[] }>('ListImages', {})).images.map(toImage);
    },
    async status(image) {
      const answer = await images.call<{ image: CriImage | null }>('ImageStatus', { image: { image } }, QUICK_MS * 3);
      return answer.image ? toImage(answer.image) : undefined;
    },
    async pull(image, auth, sandboxConfig) {
      const request = { image: { image }, ...(auth ? { auth } : {}), ...(sandboxConfig ? { sandboxConfig } : {}) };
      return (await images.call<{ imageRef: string }>('PullImage', request, PULL_MS)).imageRef;
    },
    async remove(image) {
      try {
        await images.call('RemoveImage', { image: { image } });
      } catch (error) {
        if (!isRuntimeError(error, 'NotFound')) throw error;
      }
    },
    async filesystems() {
      type Usage = {
        fsId: { mountpoint: string } | null;
        usedBytes: { value: number } | null;
        inodesUsed: { value: number } | null;
      };
      const answer = await images.call<{ imageFilesystems: Usage[] }>('ImageFsInfo', {}, QUICK_MS * 3);
      return answer.imageFilesystems.map((usage) => ({
        mountpoint: usage.fsId?.mountpoint ?? '',
        usedBytes: usage.usedBytes?.value ?? 0,
        inodesUsed: usage.inodesUsed?.value ?? 0,
      }));
    },
  };
}

function streamingOf(runtime: GrpcService): Streaming {
  // CRI refuses a separate stderr with a terminal: it comes on stdout.
  const streams = (options: StreamOptions) => ({ ...options, stderr: options.stderr && !options.tty });
  return {
    async exec(containerId, cmd, options) {
      const { url } = await runtime.call<{ url: string }>('Exec', { containerId, cmd, ...streams(options) }, QUICK_MS);
      return { kind: 'url', url };
    },
    async attach(containerId, options) {
      const { url } = await runtime.call<{ url: string }>('Attach', { containerId, ...streams(options) }, QUICK_MS);
      return { kind: 'url', url };
    },
    async portForward(podSandboxId, port) {
      const { url } = await runtime.call<{ url: string }>('PortForward', { podSandboxId, port }, QUICK_MS);
      return { kind: 'url', url };
    },
  };
}

function statsOf(runtime: GrpcService): Stats {
  return {
    async containers(filter) {
      const request = { filter: containerFilter(filter) };
      const answer = await runtime.call<{ stats: CriContainerStats[] }>('ListContainerStats', request, QUICK_MS * 3);
      return answer.stats.map(toContainerStats);
    },
  };
}

/** Signals that CRI spells otherwise than the API does: `SIGRTMIN+3` is `SIGRTMINPLUS3`. */
function wireConfig(config: ContainerConfig): object {
  const envs = config.envs.map(({ key, value }) => ({ key, value: Buffer.from(value) }));
  const stopSignal = config.stopSignal?.replace('+', 'PLUS').replace('-', 'MINUS');
  return { ...config, envs, ...(stopSignal ? { stopSignal } : {}) };
}

function sandboxFilter(filter: RuntimeFilter = {}) {
  return { ...(filter.id ? { id: filter.id } : {}), ...(filter.labels ? { labelSelector: filter.labels } : {}) };
}

function containerFilter(filter: RuntimeFilter = {}) {
  return { ...sandboxFilter(filter), ...(filter.sandboxId ? { podSandboxId: filter.sandboxId } : {}) };
}
