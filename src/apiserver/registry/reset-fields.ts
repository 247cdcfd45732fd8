import type { KindDefinition } from '../../api/kind.ts';

/** What `/status` leaves alone besides `spec`, by group and resource. */
const besidesSpec: Readonly<Record<string, readonly string[]>> = {
  '/pods': ['metadata.deletionTimestamp', 'metadata.ownerReferences'],
  'apps/deployments': ['metadata.labels'],
  'apiextensions.k8s.io/customresourcedefinitions': ['metadata'],
  'flowcontrol.apiserver.k8s.io/flowschemas': ['metadata'],
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': ['metadata'],
  'resource.k8s.io/resourceclaims': ['metadata'],
  'storage.k8s.io/volumeattachments': ['metadata'],
};

/** The fields that the endpoint resets whatever an applier says of them, so that none is owned through it: dotted paths. */
export function resetFields({ group, resource, subresources }: KindDefinition, subresource = ''): readonly string[] {
  if (subresource === 'status') return ['spec', ...(besidesSpec[`${group}/${resource}`] ?? [])];
  return subresources.status ? ['status'] : [];
}
