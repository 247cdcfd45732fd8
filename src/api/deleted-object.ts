import type { KindDefinition } from './kind.ts';

const resources = new Set([
  ...['pods', 'persistentvolumes', 'persistentvolumeclaims', 'podtemplates', 'resourcequotas', 'services'],
  'serviceaccounts',
  ...['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices', 'devicetaintrules'].map(
    (resource) => `${resource}.resource.k8s.io`,
  ),
  ...['csidrivers', 'csinodes', 'storageclasses', 'volumeattachments', 'volumeattributesclasses'].map(
    (resource) => `${resource}.storage.k8s.io`,
  ),
]);

/** Whether the deletion of one object answers with the object as it was rather than with a Status. */
export function answersDeletedObject({ group, resource }: KindDefinition): boolean {
  return resources.has(group ? `${resource}.${group}` : resource);
}
