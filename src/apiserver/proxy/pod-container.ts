import type { Pod } from '../../api/types/core.v1.gen.ts';
import { badRequest, notFound } from '../../apimachinery/status-error.ts';
import type { ObjectReader } from '../object-reader.ts';

export async function podOf(reader: ObjectReader, namespace: string, name: string): Promise<Pod> {
  const pod = await reader.fetch<Pod>('pods', name, namespace);
  if (!pod) throw notFound({ group: '', resource: 'pods' }, name);
  return pod;
}

/** The container that is meant; the only one when none is named. Throws StatusError 400. */
export function containerOf({ metadata, spec }: Pod, named: string): string {
  const all = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])].map(
    ({ name }) => name,
  );
  if (named) {
    if (!all.includes(named)) throw badRequest(`container ${named} is not valid for pod ${metadata.name}`);
    return named;
  }
  if (spec.containers.length === 1) return spec.containers[0]!.name;
  throw badRequest(
    `a container name must be specified for pod ${metadata.name}${spec.containers.length ? `, choose one of: [${all.join(' ')}]` : ''}`,
  );
}
