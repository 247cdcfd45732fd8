import { CodedError } from '../../../apimachinery/coded-error.ts';
import type { Logger } from '../../../apimachinery/logger.ts';
import type { ContainerRuntime } from '../container-runtime.ts';
import { createCriRuntime } from '../cri/cri-runtime.ts';
import { type GrpcService, openGrpcChannel } from '../cri/grpc-channel.ts';
import { buildPauseImage, PAUSE_IMAGE } from '../pause/pause-image.ts';
import { createImageImporter } from './image-import.ts';

const RETRY_MS = 1000;
const TASK_EVENTS = ['namespace==k8s.io,topic=="/tasks/exit"', 'namespace==k8s.io,topic=="/tasks/delete"'];

export interface ContainerdRuntimeOptions {
  readonly endpoint: string;
  readonly logger: Logger;
  /** Imports the sandbox image if it is not there: for a containerd of our own, whose configuration names it. */
  readonly pauseImage: boolean;
}

/**
 * A CRI runtime that may be containerd: then its exits are told at once through containerd's event stream. Throws CodedError
 * when nothing at the endpoint speaks CRI v1.
 */
export async function createContainerdRuntime({
  endpoint,
  logger,
  pauseImage,
}: ContainerdRuntimeOptions): Promise<ContainerRuntime> {
  const cri = await createCriRuntime({ endpoint });
  let name: string;
  try {
    ({ name } = await cri.info());
  } catch (cause) {
    await cri.close();
    throw new CodedError(
      'RUNTIME_NOT_REACHABLE',
      `the container runtime at ${endpoint} does not answer as CRI v1: ${(cause as Error).message}`,
      'Check the path of the socket, that the runtime runs, and that its CRI plugin is enabled.',
      { cause },
    );
  }
  if (name !== 'containerd') return cri;
  if (pauseImage) await ensurePauseImage(cri, endpoint);
  const { default: descriptor } = await import('../proto/containerd.json', { with: { type: 'json' } });
  const channel = await openGrpcChannel(endpoint, descriptor);
  const events = channel.service('containerd.services.events.v1.Events');
  return {
    ...cri,
    subscribe: (onChange) => ({ complete: false, stop: followTaskEvents(events, () => onChange(undefined), logger) }),
    async close() {
      channel.close();
      await cri.close();
    },
  };
}

/** Calls back for every end of a container, over restarts of containerd. Returns the end of it. */
function followTaskEvents(events: GrpcService, onEvent: () => void, logger: Logger): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let cancel = () => {};
  const open = () => {
    const stream = events.serverStream<{ topic: string }>('Subscribe', { filters: TASK_EVENTS });
    cancel = () => stream.cancel();
    stream.on('data', onEvent);
    stream.on('error', (error: Error) => {
      if (stopped) return;
      logger.debug({ error: error.message }, 'the event stream of containerd ended');
      timer ??= setTimeout(() => {
        timer = undefined;
        open();
      }, RETRY_MS);
      timer.unref();
    });
  };
  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    cancel();
  };
}

async function ensurePauseImage(cri: ContainerRuntime, endpoint: string): Promise<void> {
  if (await cri.images.status(PAUSE_IMAGE)) return;
  const importer = await createImageImporter(endpoint);
  try {
    await importer.importImage(await buildPauseImage());
  } finally {
    importer.close();
  }
}
