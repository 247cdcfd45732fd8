import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { containerLogPath } from '../kubelet-paths.ts';
import type { RuntimeImage } from '../runtime/container-runtime.ts';
import type { ContainerConfig, RuntimeMount } from '../runtime/sandbox-config.ts';
import { containerAnnotations, containerLabels } from './container-labels.ts';
import { expandVariables } from './expansion.ts';
import { type ContainerResourceOptions, containerLinuxResources } from './resources.ts';
import { linuxSecurityContext, type SecurityOptions } from './security-context.ts';

export interface ContainerConfigOptions extends ContainerResourceOptions, SecurityOptions {
  readonly image: RuntimeImage;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly RuntimeMount[];
  readonly restartCount: number;
  readonly instance: string;
}

/** The runtime's configuration of one container. Throws an Error for the status' CreateContainerConfigError. */
export function containerConfig(pod: Pod, container: Container, options: ContainerConfigOptions): ContainerConfig {
  const { image, environment, restartCount } = options;
  const expand = (words: readonly string[] | undefined) =>
    (words ?? []).map((word) => expandVariables(word, (name) => environment.get(name)));
  return {
    metadata: { name: container.name, attempt: restartCount },
    // By id: the name may mean another image by the time the container is made.
    image: { image: image.id, userSpecifiedImage: container.image ?? '' },
    command: expand(container.command),
    args: expand(container.args),
    workingDir: container.workingDir ?? '',
    envs: [...environment].map(([key, value]) => ({ key, value })),
    mounts: options.mounts,
    devices: [],
    labels: containerLabels(pod, container, options.instance),
    annotations: containerAnnotations(pod, container, restartCount),
    logPath: containerLogPath(container.name, restartCount),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: {
      resources: containerLinuxResources(pod, container, options),
      securityContext: linuxSecurityContext(pod, container, image, options),
    },
    ...(container.lifecycle?.stopSignal ? { stopSignal: container.lifecycle.stopSignal } : {}),
  };
}
