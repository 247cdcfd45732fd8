import type { Logger } from '../../../apimachinery/logger.ts';
import type { ContainerRuntime } from '../container-runtime.ts';
import { createCriRuntime } from '../cri/cri-runtime.ts';
import { openGrpcChannel } from '../cri/grpc-channel.ts';
import { buildPauseImage, PAUSE_IMAGE } from '../pause/pause-image.ts';
import { createImageImporter } from './image-import.ts';

const RETRY_MS = 1000;

export interface ContainerdRuntimeOptions {
  readonly endpoint: string;
  readonly logger: Logger;
  /** Imports the sandbox image if it is not there: for a containerd of our own, whose configuration names it. */
  readonly pauseImage: boolean;
}

/** A CRI runtime whose runtime is containerd: its exits are told at once through containerd's event stream. */
export async function createContainerdRuntime({ endpoint, logger, pauseImage }: ContainerdRuntimeOptions): Promise<ContainerRuntime> {
  const cri = await createCriRuntime({ endpoint });
  if (pauseImage) await ensurePauseImage(cri, endpoint);
  const { default: descriptor } = await import('../proto/containerd.json', { with: { type: 'json' } });
  const channel = await openGrpcChannel(endpoint, descriptor);
  const events = channel.service('containerd.services.events.v1.Events');
  return {
    ...cri,
    subscribe(onChange) {
      let stopped = false;
      let timer: NodeJS.Timeout | undefined;
      let cancel = () => {};
      const open = () => {
        const stream = events.serverStream<{ topic: string }>('Subscribe', {
          filters: ['namespace==k8s.io,topic=="/tasks/exit"', 'namespace==k8s.io,topic=="/tasks/delete"'],
        });
        cancel = () => stream.cancel();
        stream.on('data', () => onChange(undefined));
        stream.on('error', (error: Error) => {
          if (stopped) return;
          logger.debug({ error: error.message }, 'the event stream of containerd ended');
          timer ??= setTimeout(() => {
            timer = undefined;
            open();
          }, RETRY_MS);
        });
      };
      open();
      return {
        complete: false,
        stop() {
          stopped = true;
          clearTimeout(timer);
          cancel();
        },
      };
    },
    async close() {
      channel.close();
      await cri.close();
    },
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
