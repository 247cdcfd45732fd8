import type { Container, Pod, Service } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ConfigSource } from './config-source.ts';
import { expandVariables } from './expansion.ts';
import { containerResourceValue, type PodAddresses, podFieldValue, type Resources } from './pod-fields.ts';
import { serviceEnvironment } from './service-environment.ts';

export interface EnvironmentSources {
  readonly config: ConfigSource;
  readonly addresses: PodAddresses;
  readonly allocatable: Resources;
  /** Of the pod's namespace. */
  readonly services: readonly Service[];
  /** `kubernetes` in `default`: every pod is told of it, service links or not. */
  readonly kubernetesService: Service | undefined;
}

/**
 * The environment of a container, in the order of precedence: services, `envFrom`, `env`. Throws an Error with the words the
 * container's status shows under CreateContainerConfigError.
 */
export async function containerEnvironment(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Promise<Map<string, string>> {
  const namespace = pod.metadata.namespace ?? 'default';
  const services = new Map<string, string>();
  const linked =
    (pod.spec.enableServiceLinks ?? true)
      ? sources.services.filter(({ metadata }) => metadata.namespace === namespace)
      : [];
  const master = sources.kubernetesService;
  for (const service of master && !linked.includes(master) ? [master, ...linked] : linked) {
    for (const [name, value] of serviceEnvironment(service)) services.set(name, value);
  }

  const result = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const reference = source.configMapRef ?? source.secretRef;
    if (!reference) continue;
    let data: Iterable<readonly [string, string]>;
    try {
      data = source.configMapRef
        ? Object.entries((await sources.config.configMap(namespace, reference.name ?? '')).data ?? {})
        : secretEntries((await sources.config.secret(namespace, reference.name ?? '')).data);
    } catch (error) {
      if (isStatusError(error, 'NotFound') && reference.optional) continue;
      throw error;
    }
    for (const [key, value] of data) result.set(`${source.prefix ?? ''}${key}`, value);
  }

  const lookup = (name: string) => own.get(name) ?? result.get(name) ?? services.get(name);
  const own = new Map<string, string>();
  for (const variable of container.env ?? []) {
    const { valueFrom } = variable;
    let value: string | undefined;
    if (variable.value !== undefined && variable.value !== '') value = expandVariables(variable.value, lookup);
    else if (valueFrom?.fieldRef) value = podFieldValue(pod, valueFrom.fieldRef.fieldPath, sources.addresses);
    else if (valueFrom?.resourceFieldRef) {
      const selector = valueFrom.resourceFieldRef;
      const named = selector.containerName
        ? allContainers(pod).find(({ name }) => name === selector.containerName)
        : container;
      if (!named) throw new Error(`container ${selector.containerName} not found`);
      value = containerResourceValue(selector, named, sources.allocatable);
    } else if (valueFrom?.configMapKeyRef) {
      const { name = '', key, optional = false } = valueFrom.configMapKeyRef;
      const data = await fetchOptional(() => sources.config.configMap(namespace, name), optional);
      value = data?.data?.[key];
      if (value === undefined && !optional)
        throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    } else if (valueFrom?.secretKeyRef) {
      const { name = '', key, optional = false } = valueFrom.secretKeyRef;
      const data = await fetchOptional(() => sources.config.secret(namespace, name), optional);
      const encoded = data?.data?.[key];
      if (encoded === undefined && !optional)
        throw new Error(`couldn't find key ${key} in Secret ${namespace}/${name}`);
      value = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
    } else if (valueFrom === undefined) value = '';
    if (value !== undefined) own.set(variable.name, value);
  }
  for (const [name, value] of own) result.set(name, value);
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}

function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

async function fetchOptional<T>(fetch: () => Promise<T>, optional: boolean): Promise<T | undefined> {
  try {
    return await fetch();
  } catch (error) {
    if (optional && isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}

function* secretEntries(data: Readonly<Record<string, string>> | undefined): Iterable<readonly [string, string]> {
  for (const [key, value] of Object.entries(data ?? {})) yield [key, Buffer.from(value, 'base64').toString()];
}
