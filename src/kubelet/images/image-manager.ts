import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import { ContainerError } from '../containers/container-error.ts';
import type { PodEvents } from '../pods/pod-events.ts';
import { createRestartBackoff } from '../pods/restart-backoff.ts';
import type { Images, RuntimeImage } from '../runtime/container-runtime.ts';
import { isRuntimeError } from '../runtime/runtime-error.ts';
import type { PodSandboxConfig } from '../runtime/sandbox-config.ts';
import { imageCredentials } from './credentials.ts';
import { defaultPullPolicy, normalizeImageName } from './image-name.ts';

export interface ImageManagerOptions {
  readonly images: Images;
  readonly config: ConfigSource;
  readonly logger: Logger;
  readonly now?: () => number;
}

export interface ImageManager {
  /**
   * Makes the container's image present as its pull policy says. Throws ContainerError: ErrImagePull, ImagePullBackOff,
   * ErrImageNeverPull, InvalidImageName, ImageInspectError, RegistryUnavailable.
   */
  ensure(
    pod: Pod,
    container: Container,
    sandboxConfig: PodSandboxConfig,
    events: PodEvents,
    signal: AbortSignal,
  ): Promise<RuntimeImage>;
}

const FIRST_BACKOFF_MS = 10_000;
const LAST_BACKOFF_MS = 300_000;
/** So long the error itself is shown before ImagePullBackOff takes its place. */
const BACKOFF_SHOWN_AFTER_MS = 3000;

export function createImageManager({ images, config, logger, now = Date.now }: ImageManagerOptions): ImageManager {
  const backoff = createRestartBackoff({ firstMs: FIRST_BACKOFF_MS, lastMs: LAST_BACKOFF_MS, now });
  const lastErrors = new Map<string, { reason: string; message: string; at: number }>();
  /** One pull of an image at a time and credential set: the others wait for it. */
  const pulls = new Map<string, Promise<string>>();

  async function pull(pod: Pod, image: string, sandboxConfig: PodSandboxConfig): Promise<void> {
    const credentials = await imageCredentials(pod, image, config, logger);
    let failure: unknown;
    for (const auth of credentials.length ? credentials : [undefined]) {
      try {
        await images.pull(image, auth, sandboxConfig);
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  return {
    async ensure(pod, container, sandboxConfig, events, signal) {
      const image = container.image ?? '';
      let name: string;
      try {
        name = normalizeImageName(image);
      } catch (error) {
        const message = `Failed to apply default image tag "${image}": ${(error as Error).message}`;
        events.warning('InspectFailed', message, container);
        throw new ContainerError('InvalidImageName', message);
      }
      let present: RuntimeImage | undefined;
      try {
        present =
          (await images.status(name)) ?? (/^sha256:[0-9a-f]{64}$/.test(image) ? await images.status(image) : undefined);
      } catch (error) {
        const message = `Failed to inspect image "${image}": ${(error as Error).message}`;
        events.warning('InspectFailed', message, container);
        throw new ContainerError('ImageInspectError', message);
      }
      const policy = container.imagePullPolicy || defaultPullPolicy(image);
      if (present && policy !== 'Always') {
        events.normal(
          'Pulled',
          `Container image "${image}" already present on machine and can be accessed by the pod`,
          container,
        );
        return present;
      }
      if (policy === 'Never') {
        const message = `Container image "${image}" is not present with pull policy of Never`;
        events.warning('ErrImageNeverPull', message, container);
        throw new ContainerError('ErrImageNeverPull', message);
      }
      const key = `${pod.metadata.uid}/${name}`;
      const waitUntil = backoff.waitUntil(key);
      if (waitUntil !== undefined) {
        const last = lastErrors.get(key);
        if (last && now() - last.at < BACKOFF_SHOWN_AFTER_MS)
          throw new ContainerError(last.reason, last.message, {
            retryAt: last.at + BACKOFF_SHOWN_AFTER_MS,
            repeated: true,
          });
        const message = `Back-off pulling image "${image}": ${last ? `${last.reason}: ${last.message}` : 'ErrImagePull'}`;
        events.normal('BackOff', message, container);
        throw new ContainerError('ImagePullBackOff', message, { retryAt: waitUntil });
      }
      events.normal('Pulling', `Pulling image "${image}"`, container);
      const startedAt = now();
      try {
        const running =
          pulls.get(key) ??
          pull(pod, name, sandboxConfig)
            .then(() => name)
            .finally(() => pulls.delete(key));
        pulls.set(key, running);
        await untilAborted(running, signal);
      } catch (error) {
        signal.throwIfAborted();
        const text = (error as Error).message;
        const reason =
          /: (connection refused|no such host|i\/o timeout)/.test(text) && isRuntimeError(error, 'Unavailable')
            ? 'RegistryUnavailable'
            : 'ErrImagePull';
        events.warning('Failed', `Failed to pull image "${image}": ${text}`, container);
        backoff.next(key);
        lastErrors.set(key, { reason, message: text, at: now() });
        throw new ContainerError(reason, text, { retryAt: now() + BACKOFF_SHOWN_AFTER_MS, cause: error });
      }
      backoff.forget(key);
      lastErrors.delete(key);
      const pulled = await images.status(name);
      if (!pulled)
        throw new ContainerError('ImageInspectError', `Failed to inspect image "${image}": it is gone after the pull`);
      const took = duration(now() - startedAt);
      events.normal(
        'Pulled',
        `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${pulled.sizeBytes} bytes.`,
        container,
      );
      return pulled;
    },
  };
}

/** As Go prints a duration that is rounded to milliseconds: `340ms`, `1.2s`, `2m3.5s`. */
function duration(ms: number): string {
  const rounded = Math.round(ms);
  if (rounded < 1000) return rounded === 0 ? '0s' : `${rounded}ms`;
  const hours = Math.floor(rounded / 3_600_000);
  const minutes = Math.floor((rounded % 3_600_000) / 60_000);
  const seconds = (rounded % 60_000) / 1000;
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}

/** Stops waiting when `signal` is aborted; the work itself goes on. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
