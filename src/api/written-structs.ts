/**
 * Optional fields that Kubernetes' types hold as structs, not as pointers: they are never absent, so they are written out as
 * `{}` (`status: {}`, `resources: {}`), and clients read through them without asking. The tables of facts do not tell them
 * from pointers.
 */
const EVERYWHERE: ReadonlySet<string> = new Set([
  'spec',
  'status',
  'strategy',
  'updateStrategy',
  'loadBalancer',
  'state',
  'lastState',
  'limitResponse',
]);

const WRITTEN: ReadonlySet<string> = new Set([
  'batch.v1.JobTemplateSpec.metadata',
  'core.v1.Container.resources',
  'core.v1.EphemeralContainer.resources',
  'core.v1.Event.source',
  'core.v1.PersistentVolumeClaimSpec.resources',
  'core.v1.PersistentVolumeClaimTemplate.metadata',
  'core.v1.PodTemplate.template',
  'core.v1.PodTemplateSpec.metadata',
  'apps.v1.ReplicaSetSpec.template',
  'discovery.v1.Endpoint.conditions',
  'networking.v1.IngressServiceBackend.port',
  'resource.v1.AllocationResult.devices',
  'resource.v1.ResourceClaimSpec.devices',
  'resource.v1.ResourceClaimTemplateSpec.metadata',
]);

export const isWrittenStruct = (typeName: string, field: string): boolean =>
  EVERYWHERE.has(field) || WRITTEN.has(`${typeName}.${field}`);
