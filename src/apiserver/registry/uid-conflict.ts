import type { KindDefinition } from '../../api/kind.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { conflict, type StatusError } from '../../apimachinery/status-error.ts';

/** Where Kubernetes keeps resources that have no key of their plural's name; clients are told the key. */
const keys: Readonly<Record<string, string>> = {
  services: 'services/specs',
  endpoints: 'services/endpoints',
  nodes: 'minions',
  ingresses: 'ingress',
  replicationcontrollers: 'controllers',
};

/** The 409 of an update that means another object of the same name. */
export function uidConflict(definition: KindDefinition, uid: string, { metadata }: UnstructuredObject): StatusError {
  const { group, resource, decoding } = definition;
  const { namespace, name } = metadata;
  const folder = decoding ? `${group}/${resource}` : (keys[resource] ?? resource);
  const key = ['/registry', folder, ...(namespace ? [namespace] : []), name].join('/');
  return conflict(
    definition,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
  );
}
