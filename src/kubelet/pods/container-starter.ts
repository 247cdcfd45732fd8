import type { Container, EphemeralContainer, Pod } from '../../api/types/core.v1.gen.ts';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import { containerConfig } from '../containers/container-config.ts';
import { ContainerError, messageOf } from '../containers/container-error.ts';
import { restartCountOf } from '../containers/container-labels.ts';
import { containerMounts } from '../containers/container-mounts.ts';
import { containerEnvironment, type EnvironmentSources } from '../containers/environment.ts';
import { runLifecycleHandler } from '../containers/lifecycle-handler.ts';
import { type ImageManager, untilAborted } from '../images/image-manager.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import type { ContainerRuntime, RuntimeImage } from '../runtime/container-runtime.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { ContainerConfig, PodSandboxConfig } from '../runtime/sandbox-config.ts';
import type { DNSOptions } from '../sandbox/dns.ts';
import { podHostname } from '../sandbox/hostname.ts';
import { podHostsFile } from '../sandbox/hosts-file.ts';
import type { MountedVolumes } from '../volumes/volume-manager.ts';
import type { ContainerKiller } from './container-killer.ts';
import type { PodEvents } from './pod-events.ts';
import type { RuntimeCache } from './runtime-cache.ts';
import { findContainer, podIPsOf, type RuntimePod } from './runtime-pod.ts';

export interface ContainerStarterOptions {
  readonly runtime: ContainerRuntime;
  readonly cache: RuntimeCache;
  readonly images: ImageManager;
  readonly killer: ContainerKiller;
  /** Absent where containers have no files. */
  readonly paths: KubeletPaths | undefined;
  readonly cgroups: CgroupManager | undefined;
  readonly dns: DNSOptions;
  /** Label value of what this kubelet makes. */
  readonly instance: string;
  /** Bytes. */
  readonly memoryCapacity: number;
  environmentSources(podIPs: readonly string[]): EnvironmentSources;
}

export interface StartContext {
  readonly pod: Pod;
  readonly runtimePod: RuntimePod;
  readonly sandbox: PodSandboxConfig;
  readonly volumes: MountedVolumes;
  readonly events: PodEvents;
  readonly signal: AbortSignal;
}

/** Takes one container from its spec to running: image, configuration, create, start, postStart. */
export interface ContainerStarter {
  /** Throws ContainerError with the reason that the container's status shows. */
  start(container: Container | EphemeralContainer, context: StartContext): Promise<void>;
}

export function createContainerStarter(options: ContainerStarterOptions): ContainerStarter {
  const { runtime, paths } = options;

  async function ensureImage(
    container: Container,
    { pod, sandbox, events, signal }: StartContext,
  ): Promise<RuntimeImage> {
    try {
      return await options.images.ensure(pod, container, sandbox, events, signal);
    } catch (error) {
      if (error instanceof ContainerError && !error.repeated)
        events.warning('Failed', `Error: ${error.reason}`, container);
      throw error;
    }
  }

  async function configure(
    container: Container | EphemeralContainer,
    image: RuntimeImage,
    context: StartContext,
  ): Promise<ContainerConfig> {
    const { pod, runtimePod, volumes } = context;
    const podIPs = podIPsOf(runtimePod);
    const environment = await containerEnvironment(pod, container, options.environmentSources(podIPs));
    const hosts = paths ? await podHostsFile(pod, podIPs, podHostname(pod, options.dns.clusterDomain)) : '';
    const mounts = paths ? await containerMounts(pod, container, { paths, volumes, environment, hosts }) : [];
    const previous = findContainer(runtimePod, container.name);
    const target =
      'targetContainerName' in container ? findContainer(runtimePod, container.targetContainerName ?? '') : undefined;
    return containerConfig(pod, container, {
      image,
      environment,
      mounts,
      restartCount: previous ? restartCountOf(previous) + 1 : restartsBefore(pod, container.name),
      instance: options.instance,
      memoryCapacity: options.memoryCapacity,
      cgroupVersion: options.cgroups?.version ?? 1,
      seccompDir: paths?.seccompDir ?? '',
      ...(target ? { targetContainerId: target.id } : {}),
    });
  }

  async function postStart(
    container: Container,
    id: string,
    { pod, runtimePod, events, signal }: StartContext,
  ): Promise<void> {
    const hook = container.lifecycle?.postStart;
    if (!hook) return;
    const { addresses } = options.environmentSources(podIPsOf(runtimePod));
    const address = (pod.spec.hostNetwork ? addresses.hostIPs : addresses.podIPs)[0] ?? '';
    try {
      await untilAborted(runLifecycleHandler(runtime.containers, pod, container, hook, id, address, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      events.warning('FailedPostStartHook', 'PostStartHook failed', container);
      const now = await options.cache.refresh(pod.metadata.uid ?? '');
      const running = findContainer(now, container.name);
      const graceSeconds = pod.spec.terminationGracePeriodSeconds ?? 30;
      if (running)
        await options.killer.kill(pod, now, running, events, { graceSeconds, message: 'FailedPostStartHook', signal });
      throw new ContainerError('PostStartHookError', messageOf(error));
    }
  }

  return {
    async start(container, context) {
      const { runtimePod, sandbox, events, signal } = context;
      /** Tells of a failure and gives it the reason that the status shows. */
      const step = async <T>(reason: string, work: () => Promise<T>): Promise<T> => {
        try {
          return await work();
        } catch (error) {
          const message = error instanceof RuntimeError ? error.description : messageOf(error);
          events.warning('Failed', `Error: ${message}`, container);
          throw new ContainerError(reason, message, { cause: error });
        }
      };
      const image = await ensureImage(container, context);
      const config = await step('CreateContainerConfigError', () => configure(container, image, context));
      signal.throwIfAborted();
      const sandboxId = runtimePod.sandboxes[0]?.id ?? '';
      const id = await step('CreateContainerError', () => runtime.containers.create(sandboxId, config, sandbox));
      events.normal('Created', 'Container created', container);
      await step('RunContainerError', () => runtime.containers.start(id));
      events.normal('Started', 'Container started', container);
      await postStart(container, id, context);
    },
  };
}

/** Of a container that the runtime forgot, as after a reboot. */
function restartsBefore(pod: Pod, name: string): number {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const told = [...initContainerStatuses, ...containerStatuses].find((status) => status.name === name);
  return told ? told.restartCount + (told.state?.running || told.state?.terminated ? 1 : 0) : 0;
}
