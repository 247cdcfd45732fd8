import { resourceRows } from '../../../src/api/define.ts';
import { everyKind, type Manifest, NAMESPACE } from '../every-kind.ts';
import { pathOf } from './api-client.ts';

/** A stored resource of a GA version, and one object that it takes. */
export interface StoredKind {
  /** As in the compatibility table: `apps/v1 deployments`. */
  readonly id: string;
  readonly group: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly status: boolean;
  readonly scale: boolean;
  readonly manifest: Manifest;
  readonly collection: string;
  readonly path: string;
}

/** What `everyKind` leaves out: older versions and other groups of the same objects. */
const alsoServed: readonly Manifest[] = [
  {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'every-kind-v1', namespace: NAMESPACE },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'some' }, maxReplicas: 3 },
  },
  {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'every-kind-new', namespace: NAMESPACE },
    eventTime: '2026-01-02T03:04:05.000006Z',
    reportingController: 'interop.example/tester',
    reportingInstance: 'one',
    action: 'Testing',
    reason: 'Tested',
    type: 'Normal',
    regarding: { kind: 'Pod', namespace: NAMESPACE, name: 'some' },
  },
];

/** Resources of the GA versions that are stored, by the facts; the reviews and ComponentStatus are not. */
export function storedRows() {
  return resourceRows.filter(
    ({ groupVersion, name, verbs }) =>
      /(^|\/)v\d+$/.test(groupVersion) && !name.includes('/') && verbs.includes('watch') && verbs.includes('create'),
  );
}

/** One row per stored GA resource. Throws for one that no manifest is known of. */
export function storedKinds(): StoredKind[] {
  const manifests = [...everyKind().map(({ manifest }) => manifest), ...alsoServed];
  return storedRows().map(({ groupVersion, name, kind, namespaced, verbs }) => {
    const manifest = manifests.find((known) => known.apiVersion === groupVersion && known.kind === kind);
    if (!manifest) throw new Error(`there is no manifest of ${groupVersion} ${kind}`);
    const below = (subresource: string) =>
      resourceRows.some((row) => row.groupVersion === groupVersion && row.name === `${name}/${subresource}`);
    const collection = pathOf(groupVersion, name, namespaced ? NAMESPACE : undefined);
    return {
      id: `${groupVersion} ${name}`,
      group: groupVersion.includes('/') ? groupVersion.split('/')[0]! : '',
      resource: name,
      namespaced,
      verbs,
      status: below('status'),
      scale: below('scale'),
      manifest,
      collection,
      path: `${collection}/${manifest.metadata.name}`,
    };
  });
}
