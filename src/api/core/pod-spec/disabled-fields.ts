import type { Draft } from '../../../apimachinery/json.ts';
import type {
  Container,
  EphemeralContainer,
  PodSpec,
  PodTemplateSpec,
  ProjectedVolumeSource,
} from '../../types/core.v1.gen.ts';

/**
 * Takes out of a pod's spec the fields of features that are off in this version. What `old` uses already, its successor
 * may use too.
 */
export function dropDisabledFields(spec: Draft<PodSpec> | undefined, old: PodSpec | undefined): void {
  if (!spec) return;
  if (!old?.schedulingGroup) delete spec.schedulingGroup;
  if (!containersOf(old).some(({ lifecycle }) => lifecycle?.stopSignal !== undefined))
    for (const container of containersOf(spec)) dropStopSignal(container);
  for (const source of ['clusterTrustBundle', 'podCertificate'] as const)
    if (!sourcesOf(old).some((projection) => projection[source]))
      for (const projection of sourcesOf(spec)) delete projection[source];
}

export function dropDisabledTemplateFields(
  template: Draft<PodTemplateSpec> | undefined,
  old: PodTemplateSpec | undefined,
): void {
  dropDisabledFields(template?.spec, old?.spec);
}

function containersOf(spec: Draft<PodSpec>): Draft<Container | EphemeralContainer>[];
function containersOf(spec: PodSpec | undefined): (Container | EphemeralContainer)[];
function containersOf(spec: PodSpec | undefined): (Container | EphemeralContainer)[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

type Source = NonNullable<ProjectedVolumeSource['sources']>[number];

function sourcesOf(spec: Draft<PodSpec>): Draft<Source>[];
function sourcesOf(spec: PodSpec | undefined): Source[];
function sourcesOf(spec: PodSpec | undefined): Source[] {
  return (spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
}

function dropStopSignal(container: Draft<Container | EphemeralContainer>): void {
  if (container.lifecycle?.stopSignal === undefined) return;
  delete container.lifecycle.stopSignal;
  if (!container.lifecycle.postStart && !container.lifecycle.preStop) delete container.lifecycle;
}
