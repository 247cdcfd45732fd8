export type ScalarType = 'string' | 'bool' | 'int32' | 'int64' | 'double' | 'bytes';

/**
 * Go writes every scalar that is no pointer, zero or not, and leaves zeros out of JSON; a pointer to a zero is written and
 * stays. The tables do not tell pointers, so the fields that are none (or, of strings, those that are one) are named here.
 */

/** Strings of which the empty one means something else than absence. */
const meaningfulStrings: ReadonlySet<string> = new Set([
  'core.v1.PersistentVolumeClaimSpec.storageClassName',
  'core.v1.PersistentVolumeClaimSpec.volumeAttributesClassName',
  'core.v1.PersistentVolumeClaimStatus.currentVolumeAttributesClassName',
  'core.v1.PersistentVolumeSpec.volumeAttributesClassName',
  'core.v1.TypedLocalObjectReference.apiGroup',
  'core.v1.TypedObjectReference.apiGroup',
  'discovery.v1.EndpointPort.name',
  'discovery.v1.EndpointPort.appProtocol',
  'networking.v1.IngressClassParametersReference.apiGroup',
  'networking.v1.IngressSpec.ingressClassName',
]);

const plainNumbers: ReadonlySet<string> = new Set([
  'generation',
  'observedGeneration',
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
  'hostPort',
  'nodePort',
  'healthCheckNodePort',
  'minReadySeconds',
  'count',
  'code',
  'retryAfterSeconds',
  'restartCount',
  'signal',
  'iscsiLun',
]);

const plainBooleans: ReadonlySet<string> = new Set([
  'allowed',
  'authenticated',
  'denied',
  'excludesAll',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'globalDefault',
  'hostIPC',
  'hostNetwork',
  'hostPID',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'incomplete',
  'insecureSkipTLSVerify',
  'nullable',
  'paused',
  'preserveUnknownFields',
  'publishNotReadyAddresses',
  'readOnly',
  'stdin',
  'stdinOnce',
  'tty',
  'uniqueItems',
  'unschedulable',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
]);

/** In status, numbers and booleans are plain but for these. */
const statusPointers: ReadonlySet<string> = new Set([
  'collisionCount',
  'started',
  'terminating',
  'currentCPUUtilizationPercentage',
  'allocatedResourcesStatus',
]);

/** Pointers by way of exception, and plain fields that share a pointer's name. */
const exceptions: ReadonlyMap<string, boolean> = new Map([
  ['batch.v1.JobStatus.ready', true],
  ['autoscaling.v1.ScaleSpec.replicas', false],
  ['core.v1.PersistentVolumeSpec.readOnly', false],
  ['admissionregistration.v1.MutatingWebhook.timeoutSeconds', true],
  ['admissionregistration.v1.ValidatingWebhook.timeoutSeconds', true],
  ['core.v1.ClientIPConfig.timeoutSeconds', true],
  ['meta.v1.DeleteOptions.dryRun', true],
]);

/** Whether a zero of this optional field is a value, and not Go's way of writing nothing. */
export function keepsZero(typeName: string, field: string, scalar: ScalarType | undefined): boolean {
  if (scalar === undefined) return true;
  const path = `${typeName}.${field}`;
  const exception = exceptions.get(path);
  if (exception !== undefined) return exception;
  if (scalar === 'string' || scalar === 'bytes') return meaningfulStrings.has(path);
  if (typeName.endsWith('Status')) return statusPointers.has(field);
  return scalar === 'bool' ? !plainBooleans.has(field) : !plainNumbers.has(field);
}
