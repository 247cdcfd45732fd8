import { setTimeout as delay } from 'node:timers/promises';
import { RESTART_POLICY } from '../../containers/container-labels.ts';
import type { Containers, ExecResult, Images, RuntimeContainer } from '../container-runtime.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import { containerBehaviour } from './behaviour.ts';
import { type ContainerRecord, newId, type Records } from './records.ts';
import { untilExit } from './simulated-logs.ts';
import { commandOutput } from './simulated-streaming.ts';

/** What a process that a signal ends exits with. */
const TERMINATED = 128 + 15;
const KILLED = 128 + 9;
const NOTHING = new Uint8Array();

export interface SimulatedContainersOptions {
  readonly records: Records;
  readonly images: Images;
  /** How long containers run that come to an end and don't say when. */
  readonly completionMs: number;
  readonly now: () => number;
  /** A container ended by itself. */
  onExit(podUid: string): void;
}

/** Containers in memory, with the transitions that a runtime's own parts need beside the contract's. */
export interface SimulatedContainers extends Containers {
  /** At once; no-op for one that has exited. */
  kill(container: ContainerRecord): void;
  /** Its standard input has ended, and with it the container. */
  closeStdin(container: ContainerRecord): void;
  /** What is running stays as it is; no container ends by itself any more. */
  close(): void;
}

export function createSimulatedContainers({
  records,
  images,
  completionMs,
  now,
  onExit,
}: SimulatedContainersOptions): SimulatedContainers {
  let closed = false;

  function exit(container: ContainerRecord, exitCode: number): void {
    if (container.state === 'exited') return;
    clearTimeout(container.timer);
    container.timer = undefined;
    container.state = 'exited';
    container.finishedAt = now();
    container.exitCode = exitCode;
    container.reason = exitCode === 0 ? 'Completed' : 'Error';
    const { waiting } = container;
    container.waiting = undefined;
    for (const resolve of waiting ?? []) resolve();
  }

  function exitByItself(container: ContainerRecord, exitCode: number): void {
    exit(container, exitCode);
    onExit(container.sandbox.metadata.uid);
  }

  const running = (id: string): ContainerRecord => {
    const container = records.container(id);
    if (container.state !== 'running') throw new RuntimeError('FailedPrecondition', `container ${id} is not running`);
    return container;
  };

  return {
    async create(sandboxId, config, sandboxConfig) {
      const sandbox = records.sandbox(sandboxId);
      const { name, attempt } = config.metadata;
      const image = await images.status(config.image.image);
      if (!image) throw new RuntimeError('NotFound', `image ${config.image.image} is not there`);
      const endless = config.stdin || (config.annotations[RESTART_POLICY] ?? 'Always') === 'Always';
      const container: ContainerRecord = {
        id: newId(),
        sandbox,
        name,
        attempt,
        image: image.repoTags[0] ?? config.image.userSpecifiedImage,
        imageRef: image.repoDigests[0] ?? image.id,
        imageId: image.id,
        createdAt: records.createdAt(sandbox.metadata.uid, now()),
        labels: config.labels,
        annotations: config.annotations,
        behaviour: containerBehaviour(sandboxConfig.annotations, name, { endless, completionMs }),
        stdinOnce: config.stdinOnce,
        logPath: '',
        state: 'created',
        startedAt: 0,
        finishedAt: 0,
        exitCode: 0,
        reason: '',
        resources: config.linux?.resources,
        timer: undefined,
        waiting: undefined,
      };
      records.addContainer(container);
      return container.id;
    },
    async start(id) {
      const container = records.container(id);
      const { startMs, runMs, exitCode } = container.behaviour;
      if (startMs > 0) await delay(startMs, undefined, { ref: false });
      if (container.state !== 'created')
        throw new RuntimeError('FailedPrecondition', `container ${id} is in ${container.state} state`);
      container.state = 'running';
      container.startedAt = now();
      if (runMs === undefined || closed) return;
      container.timer = setTimeout(() => exitByItself(container, exitCode), runMs);
      container.timer.unref();
    },
    async stop(id, timeoutSeconds) {
      const container = records.container(id);
      if (container.state === 'running') {
        const { stopMs } = container.behaviour;
        const graceMs = timeoutSeconds * 1000;
        if (stopMs > 0 && graceMs > 0) {
          const ended = new AbortController();
          void untilExit(container).then(() => ended.abort());
          await delay(Math.min(stopMs, graceMs), undefined, { signal: ended.signal, ref: false }).catch(() => {});
        }
        exit(container, stopMs > graceMs ? KILLED : TERMINATED);
      } else exit(container, KILLED);
    },
    async remove(id) {
      const container = records.container(id);
      exit(container, KILLED);
      records.removeContainer(container);
    },
    async list(filter) {
      return records.containers(filter).map(view);
    },
    async status(id) {
      const container = records.container(id);
      const { startedAt, finishedAt, exitCode, reason, logPath, resources } = container;
      return {
        ...view(container),
        startedAt,
        finishedAt,
        exitCode,
        reason,
        message: '',
        logPath,
        mounts: [],
        ...(resources ? { resources } : {}),
      };
    },
    async updateResources(id, resources) {
      const container = records.container(id);
      container.resources = { ...container.resources, ...resources };
    },
    async reopenLog() {},
    async execSync(id, command): Promise<ExecResult> {
      return { stdout: Buffer.from(commandOutput(running(id), command)), stderr: NOTHING, exitCode: 0 };
    },
    async answerHandler(id, handler) {
      let container: ContainerRecord;
      try {
        container = running(id);
      } catch (error) {
        if (isRuntimeError(error)) return error.description;
        throw error;
      }
      if (handler === 'lifecycle') return undefined;
      const behaviour = container.behaviour[handler];
      const succeeds = behaviour === 'success' || (behaviour !== 'failure' && now() - container.startedAt >= behaviour);
      return succeeds ? undefined : `simulated container ${container.name} does not answer`;
    },
    kill: (container) => exit(container, KILLED),
    closeStdin(container) {
      if (container.state === 'running') exitByItself(container, container.behaviour.exitCode);
    },
    close() {
      closed = true;
      for (const container of records.containers()) clearTimeout(container.timer);
    },
  };
}

function view(container: ContainerRecord): RuntimeContainer {
  const { id, sandbox, name, attempt, image, imageRef, imageId, state, createdAt, labels, annotations } = container;
  return { id, sandboxId: sandbox.id, name, attempt, image, imageRef, imageId, state, createdAt, labels, annotations };
}
