import type { KindDefinition } from '../../api/kind.ts';
import type { Reset } from '../../apimachinery/managed-fields/ownable.ts';

/** What endpoints reset that do more or less than leave `spec` to the object and `status` to `/status`. */
const special: Readonly<Record<string, Reset>> = {
  'pods/status': ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
  'pods/ephemeralcontainers': { allBut: ['spec.ephemeralContainers'] },
  'pods/resize': {
    allBut: ['containers', 'initContainers'].flatMap((list) => [
      `spec.${list}.*.resources`,
      `spec.${list}.*.resizePolicy`,
    ]),
  },
  'deployments.apps/status': ['spec', 'metadata.labels'],
  'certificatesigningrequests.certificates.k8s.io': ['spec', 'status'],
  'certificatesigningrequests.certificates.k8s.io/status': ['spec', 'status.conditions'],
  'certificatesigningrequests.certificates.k8s.io/approval': ['spec', 'status.certificate'],
};

/** Of these `/status` leaves the metadata alone too. */
const keptMetadata: ReadonlySet<string> = new Set([
  'apiservices.apiregistration.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'resourceclaims.resource.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
  'storageversions.internal.apiserver.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'volumeattachments.storage.k8s.io',
]);

/** The fields that the endpoint resets whatever an applier says of them, so that none is owned through it. */
export function resetFields({ group, resource, subresources }: KindDefinition, subresource = ''): Reset {
  const name = group ? `${resource}.${group}` : resource;
  const known = special[subresource ? `${name}/${subresource}` : name];
  if (known) return known;
  if (subresource === 'status') return keptMetadata.has(name) ? ['spec', 'metadata'] : ['spec'];
  return subresources.status ? ['status'] : [];
}
