export type ScalarType = 'string' | 'bool' | 'int32' | 'int64' | 'double' | 'bytes';

/**
 * Go writes every scalar that is no pointer, zero or not, and leaves zeros out of JSON; a pointer to a zero is written and
 * stays. The tables do not tell pointers, so the fields that are none (or, of strings, those that are one) are named here.
 */

/** Strings of which the empty one means something else than absence. */
const meaningfulStrings: ReadonlySet<string> = new Set([
  'apiextensions.v1.CustomResourceDefinitionVersion.deprecationWarning',
  'batch.v1.CronJobSpec.timeZone',
  'batch.v1.JobSpec.managedBy',
  'batch.v1.PodFailurePolicyOnExitCodesRequirement.containerName',
  'coordination.v1.LeaseSpec.holderIdentity',
  'coordination.v1.LeaseSpec.preferredHolder',
  'coordination.v1.LeaseSpec.strategy',
  'core.v1.AppArmorProfile.localhostProfile',
  'core.v1.AzureDiskVolumeSource.fsType',
  'core.v1.CSIVolumeSource.fsType',
  'core.v1.EndpointAddress.nodeName',
  'core.v1.EndpointPort.appProtocol',
  'core.v1.GRPCAction.service',
  'core.v1.HostPathVolumeSource.type',
  'core.v1.PersistentVolumeClaimSpec.storageClassName',
  'core.v1.PersistentVolumeClaimSpec.volumeAttributesClassName',
  'core.v1.PersistentVolumeClaimStatus.currentVolumeAttributesClassName',
  'core.v1.PersistentVolumeSpec.volumeAttributesClassName',
  'core.v1.PodDNSConfigOption.value',
  'core.v1.PodResourceClaim.resourceClaimName',
  'core.v1.PodResourceClaim.resourceClaimTemplateName',
  'core.v1.PodSpec.hostnameOverride',
  'core.v1.PodSpec.runtimeClassName',
  'core.v1.SeccompProfile.localhostProfile',
  'core.v1.ServicePort.appProtocol',
  'core.v1.ServiceSpec.loadBalancerClass',
  'core.v1.TypedLocalObjectReference.apiGroup',
  'core.v1.TypedObjectReference.apiGroup',
  'core.v1.WindowsSecurityContextOptions.gmsaCredentialSpec',
  'core.v1.WindowsSecurityContextOptions.gmsaCredentialSpecName',
  'core.v1.WindowsSecurityContextOptions.runAsUserName',
  'discovery.v1.Endpoint.hostname',
  'discovery.v1.Endpoint.nodeName',
  'discovery.v1.Endpoint.zone',
  'discovery.v1.EndpointPort.appProtocol',
  'discovery.v1.EndpointPort.name',
  'networking.v1.IngressClassParametersReference.apiGroup',
  'networking.v1.IngressClassParametersReference.namespace',
  'networking.v1.IngressSpec.ingressClassName',
  'resource.v1.DeviceAttribute.string',
  'resource.v1.DeviceAttribute.version',
  'resource.v1.ResourceSliceSpec.nodeName',
  'storage.v1.VolumeAttachmentSource.persistentVolumeName',
]);

const plainNumbers: ReadonlySet<string> = new Set([
  'active',
  'availableReplicas',
  'code',
  'count',
  'currentReplicas',
  'deprecatedCount',
  'failed',
  'failureThreshold',
  'fullyLabeledReplicas',
  'generation',
  'healthCheckNodePort',
  'hostPort',
  'initialDelaySeconds',
  'minReadySeconds',
  'nodePort',
  'number',
  'numberAvailable',
  'numberUnavailable',
  'observedGeneration',
  'periodSeconds',
  'readyReplicas',
  'restartCount',
  'retryAfterSeconds',
  'signal',
  'sizeBytes',
  'succeeded',
  'successThreshold',
  'timeoutSeconds',
  'unavailableReplicas',
  'updatedNumberScheduled',
  'updatedReplicas',
]);

const plainBooleans: ReadonlySet<string> = new Set([
  'allowed',
  'authenticated',
  'chapAuthDiscovery',
  'chapAuthSession',
  'clusterScope',
  'denied',
  'deprecated',
  'excludesAll',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'globalDefault',
  'hostIPC',
  'hostNetwork',
  'hostPID',
  'incomplete',
  'insecureSkipTLSVerify',
  'nullable',
  'paused',
  'preserveUnknownFields',
  'publishNotReadyAddresses',
  'readOnly',
  'sslEnabled',
  'stdin',
  'stdinOnce',
  'tty',
  'uniqueItems',
  'unschedulable',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
]);

/** Pointers (true) that share the name of plain fields, and plain fields (false) that share the name of pointers. */
const exceptions: ReadonlyMap<string, boolean> = new Map([
  ['admissionregistration.v1.MutatingWebhook.timeoutSeconds', true],
  ['admissionregistration.v1.ValidatingWebhook.timeoutSeconds', true],
  ['apiextensions.v1.CustomResourceColumnDefinition.priority', false],
  ['apps.v1.DeploymentStatus.replicas', false],
  ['apps.v1.StatefulSetStatus.availableReplicas', true],
  ['autoscaling.v1.HorizontalPodAutoscalerStatus.observedGeneration', true],
  ['autoscaling.v1.ScaleSpec.replicas', false],
  ['autoscaling.v2.HorizontalPodAutoscalerStatus.observedGeneration', true],
  ['core.v1.AWSElasticBlockStoreVolumeSource.partition', false],
  ['core.v1.AzureDiskVolumeSource.readOnly', true],
  ['core.v1.CSIVolumeSource.readOnly', true],
  ['core.v1.ClientIPConfig.timeoutSeconds', true],
  ['core.v1.GCEPersistentDiskVolumeSource.partition', false],
  ['storage.v1.VolumeNodeResources.count', true],
]);

/** Whether a zero of this optional field is a value, and not Go's way of writing nothing. */
export function keepsZero(typeName: string, field: string, scalar: ScalarType | undefined): boolean {
  if (scalar === undefined) return true;
  const path = `${typeName}.${field}`;
  const exception = exceptions.get(path);
  if (exception !== undefined) return exception;
  if (scalar === 'string' || scalar === 'bytes') return meaningfulStrings.has(path);
  return scalar === 'bool' ? !plainBooleans.has(field) : !plainNumbers.has(field);
}
