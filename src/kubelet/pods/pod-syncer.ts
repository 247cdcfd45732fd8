import { mkdir } from 'node:fs/promises';
import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { RuntimeClasses } from '../../client/resource-types.gen.ts';
import { ContainerError, messageOf } from '../containers/container-error.ts';
import type { LinuxContainerResources, PodSandboxConfig } from '../runtime/sandbox-config.ts';
import { podDNSConfig } from '../sandbox/dns.ts';
import { podHostname } from '../sandbox/hostname.ts';
import { podSandboxConfig } from '../sandbox/pod-sandbox-config.ts';
import type { MountedVolumes } from '../volumes/volume-manager.ts';
import { type ContainerStarterOptions, createContainerStarter } from './container-starter.ts';
import { type ContainerKill, type ProbeResults, podActions } from './pod-actions.ts';
import type { PodEvents } from './pod-events.ts';
import { containerResizes } from './resize.ts';
import { createRestartBackoff } from './restart-backoff.ts';
import { findContainer, type RuntimePod } from './runtime-pod.ts';

const FIRST_BACKOFF_MS = 10_000;
const LAST_BACKOFF_MS = 300_000;

export interface PodSyncerOptions extends ContainerStarterOptions {
  readonly client: Client;
  readonly probes: ProbeResults;
  readonly now: () => number;
}

/** What one sync came to. */
export interface SyncOutcome {
  /** Why containers did not start, by name. Those that need nothing are not in it. */
  readonly failures: ReadonlyMap<string, ContainerError>;
  /** Containers that started: what failed about them before is history. */
  readonly started: readonly string[];
}

export interface PodSyncer {
  /** Brings the runtime a step closer to the pod's spec. Rejects when the sandbox can't be made. */
  sync(
    pod: Pod,
    runtimePod: RuntimePod,
    volumes: MountedVolumes,
    events: PodEvents,
    signal: AbortSignal,
  ): Promise<SyncOutcome>;
  /** Whether a running container has yet to be given what the spec asks for. */
  resizing(pod: Pod, runtimePod: RuntimePod): boolean;
  forget(podUid: string): void;
}

export function createPodSyncer(options: PodSyncerOptions): PodSyncer {
  const { runtime, cache, killer, paths } = options;
  const backoff = createRestartBackoff({ firstMs: FIRST_BACKOFF_MS, lastMs: LAST_BACKOFF_MS, now: options.now });
  const backoffKeys = new Map<string, Set<string>>();
  const starter = createContainerStarter(options);
  const configs = new Map<string, PodSandboxConfig>();
  /** Of containers that were resized, by id. */
  const resized = new Map<string, { readonly podUid: string; readonly resources: LinuxContainerResources }>();

  const resizesOf = (pod: Pod, runtimePod: RuntimePod) =>
    containerResizes(
      pod,
      runtimePod,
      { memoryCapacity: options.memoryCapacity, cgroupVersion: options.cgroups?.version ?? 1 },
      (id) => resized.get(id)?.resources,
    );

  async function createSandbox(pod: Pod, attempt: number, events: PodEvents): Promise<PodSandboxConfig> {
    const config = await sandboxConfig(pod, attempt, events);
    try {
      const handler = await runtimeHandler(pod);
      await runtime.sandboxes.run(config, handler);
    } catch (error) {
      events.warning('FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`);
      throw error;
    }
    return config;
  }

  async function sandboxConfig(pod: Pod, attempt: number, events: PodEvents): Promise<PodSandboxConfig> {
    const { hostname } = podHostname(pod, options.dns.clusterDomain);
    const logDirectory = paths?.logDir(pod) ?? '';
    if (paths) await mkdir(logDirectory, { recursive: true, mode: 0o755 });
    const dnsConfig = paths
      ? await podDNSConfig(pod, options.dns, (message) => events.warning('DNSConfigForming', message))
      : undefined;
    const cgroupParent = options.cgroups?.podCgroup(pod) ?? '';
    const { instance } = options;
    return podSandboxConfig(pod, {
      attempt,
      hostname,
      dnsConfig,
      logDirectory,
      cgroupParent,
      instance,
      seccompDir: paths?.seccompDir ?? '',
    });
  }

  async function runtimeHandler(pod: Pod): Promise<string> {
    const name = pod.spec.runtimeClassName;
    if (!name) return '';
    try {
      return (await options.client.for(RuntimeClasses).get({ name })).handler;
    } catch (error) {
      if (isStatusError(error, 'NotFound'))
        throw new Error(`failed to get sandbox runtime: RuntimeClass "${name}" not found`);
      throw error;
    }
  }

  /** Throws CrashLoopBackOff while a container that ended has to wait, and notes the restart otherwise. */
  function checkBackoff(pod: Pod, container: Container, runtimePod: RuntimePod, events: PodEvents): void {
    const uid = pod.metadata.uid ?? '';
    const previous = findContainer(runtimePod, container.name);
    if (previous?.state !== 'exited') return;
    const key = `${uid}/${container.name}/${container.image}`;
    const waitUntil = backoff.waitUntil(key, previous.finishedAt);
    if (waitUntil !== undefined) {
      const where = `${pod.metadata.name}_${pod.metadata.namespace}(${uid})`;
      events.warning('BackOff', `Back-off restarting failed container ${container.name} in pod ${where}`, container);
      const wait = goDuration(backoff.delay(key));
      throw new ContainerError(
        'CrashLoopBackOff',
        `back-off ${wait} restarting failed container=${container.name} pod=${where}`,
        { retryAt: waitUntil },
      );
    }
    backoff.next(key, previous.finishedAt);
    const keys = backoffKeys.get(uid) ?? new Set();
    backoffKeys.set(uid, keys.add(key));
  }

  return {
    async sync(pod, runtimePod, volumes, events, signal) {
      const uid = pod.metadata.uid ?? '';
      const resizes = resizesOf(pod, runtimePod);
      const restarting = new Set(resizes.filter(({ restart }) => restart).map(({ id }) => id));
      const actions = podActions(pod, runtimePod, options.probes, restarting);
      let current = runtimePod;
      const failures = new Map<string, ContainerError>();
      const started: string[] = [];
      if (actions.killPod) {
        if (actions.createSandbox && runtimePod.sandboxes.length > 0)
          events.normal('SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
        await killer.killPod(pod, runtimePod, events, undefined, signal);
        if (!actions.createSandbox) {
          await cache.refresh(uid);
          return { failures, started };
        }
      }
      for (const { container, id, message, reason } of actions.kill) {
        const running = runtimePod.containers.find((one) => one.id === id);
        if (!running) continue;
        const graceSeconds = graceOf(pod, container, reason);
        await killer.kill(pod, runtimePod, running, events, { graceSeconds, message, signal });
      }
      for (const { container, id, resources } of actions.killPod ? [] : resizes) {
        if (restarting.has(id) || actions.kill.some((kill) => kill.id === id)) continue;
        try {
          await runtime.containers.updateResources(id, resources);
          resized.set(id, { podUid: uid, resources });
        } catch (error) {
          events.warning('ResizeError', `Error resizing container ${container.name}: ${messageOf(error)}`, container);
        }
      }
      signal.throwIfAborted();
      if (actions.createSandbox) {
        configs.set(uid, await createSandbox(pod, actions.attempt, events));
        current = await cache.refresh(uid);
      } else if (actions.kill.length > 0) current = await cache.refresh(uid);
      const toStart = [...actions.startEphemeral, ...actions.startInit, ...actions.start];
      if (toStart.length === 0) return { failures, started };
      const sandbox = configs.get(uid) ?? (await sandboxConfig(pod, actions.attempt, events));
      configs.set(uid, sandbox);
      for (const container of toStart) {
        signal.throwIfAborted();
        try {
          if (!actions.startEphemeral.includes(container)) checkBackoff(pod, container, current, events);
          await starter.start(container, { pod, runtimePod: current, sandbox, volumes, events, signal });
          started.push(container.name);
        } catch (error) {
          signal.throwIfAborted();
          failures.set(
            container.name,
            error instanceof ContainerError
              ? error
              : new ContainerError('CreateContainerError', messageOf(error), { cause: error }),
          );
          // An init container that can't run holds up all after it.
          if (actions.startInit.includes(container) && container.restartPolicy !== 'Always') break;
        }
      }
      await cache.refresh(uid);
      return { failures, started };
    },
    resizing: (pod, runtimePod) => resizesOf(pod, runtimePod).length > 0,
    forget(uid) {
      for (const [id, { podUid }] of resized) if (podUid === uid) resized.delete(id);
      configs.delete(uid);
      for (const key of backoffKeys.get(uid) ?? []) backoff.forget(key);
      backoffKeys.delete(uid);
    },
  };
}

/** Whole seconds as Go prints them: `10s`, `2m40s`, `5m0s`. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

/** A probe may give its container less time than the pod does. */
function graceOf(pod: Pod, container: Container, reason: ContainerKill['reason']): number {
  const probe = {
    LivenessProbe: container.livenessProbe,
    StartupProbe: container.startupProbe,
    Changed: undefined,
    Resize: undefined,
    Unknown: undefined,
  }[reason];
  return probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}
