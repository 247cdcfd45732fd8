import type { ResourceQuota } from '../../api/types/core.v1.gen.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { RbacAuthorizer } from '../authorization/rbac/rbac-authorizer.ts';
import { alwaysAdmit, alwaysDeny } from './always.ts';
import { alwaysPullImages } from './always-pull-images.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import type { AdmissionConfiguration } from './configuration/admission-configuration.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { denyServiceExternalIPs } from './deny-service-external-ips.ts';
import { deviceClaimAccess } from './device-claim-access.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { limitPodHardAntiAffinityTopology } from './hard-anti-affinity-topology.ts';
import { type ImagePolicyOptions, imagePolicyWebhook } from './image-policy-webhook.ts';
import { limitRanger } from './limit-ranger.ts';
import type { AdmissionLookup } from './lookup.ts';
import { namespaceAutoProvision, namespaceExists } from './namespace-existence.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { type OwnerReferencesOptions, ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { pluginConfiguration } from './plugin-configuration.ts';
import { podNodeSelector } from './pod-node-selector.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { podTolerationRestriction } from './pod-toleration-restriction.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClassStep } from './runtime-class.ts';
import { serviceAccountStep } from './service-account.ts';
import { persistentVolumeClaimResize, storageObjectInUseProtection } from './storage-protection.ts';
import { defaultTolerationSeconds, extendedResourceToleration, taintNodesByCondition } from './tolerations.ts';

export interface DefaultAdmissionOptions {
  readonly lookup: AdmissionLookup;
  readonly authorizer: Authorizer;
  readonly rbac?: RbacAuthorizer;
  readonly updateQuotaStatus: (quota: ResourceQuota) => Promise<ResourceQuota>;
  readonly createNamespace: (name: string) => Promise<unknown>;
  readonly resourceOf: OwnerReferencesOptions['resourceOf'];
  /** Of steps that can be configured. */
  readonly configuration?: AdmissionConfiguration;
  readonly imagePolicy?: ImagePolicyOptions;
  /** Webhooks, policies and plugins: they run after the built-in steps and before ResourceQuota. */
  readonly extensions?: readonly AdmissionStep[];
  /** Names of steps to leave out, and of those off by default to take in. */
  readonly disable?: readonly string[];
  readonly enable?: readonly string[];
}

const OFF_BY_DEFAULT = [
  'AlwaysAdmit',
  'AlwaysDeny',
  'AlwaysPullImages',
  'DenyServiceExternalIPs',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'ImagePolicyWebhook',
  'LimitPodHardAntiAffinityTopology',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'OwnerReferencesPermissionEnforcement',
  'PodNodeSelector',
  'PodTolerationRestriction',
];

/** The built-in admission steps in upstream's order. */
export function defaultAdmissionSteps(options: DefaultAdmissionOptions): readonly AdmissionStep[] {
  const { lookup, authorizer, rbac, configuration } = options;
  const steps: readonly AdmissionStep[] = [
    alwaysAdmit,
    namespaceAutoProvision(lookup, options.createNamespace),
    namespaceLifecycle(lookup),
    namespaceExists(lookup),
    limitPodHardAntiAffinityTopology,
    limitRanger(lookup),
    serviceAccountStep({ lookup }),
    nodeRestriction(lookup, authorizer),
    taintNodesByCondition,
    alwaysPullImages,
    imagePolicyWebhook(options.imagePolicy),
    podSecurity({ lookup, ...configuration?.podSecurity }),
    podNodeSelector(lookup, configuration?.nodeSelectors),
    priority(lookup),
    defaultTolerationSeconds(),
    podTolerationRestriction(lookup, configuration?.tolerations),
    eventRateLimit(configuration?.eventLimits ?? []),
    extendedResourceToleration,
    defaultStorageClass(lookup),
    storageObjectInUseProtection,
    ownerReferencesPermissionEnforcement({ authorizer, resourceOf: options.resourceOf }),
    persistentVolumeClaimResize(lookup),
    runtimeClassStep(lookup),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction,
    defaultIngressClass(lookup),
    denyServiceExternalIPs,
    podTopologyLabels(lookup),
    deviceClaimAccess(lookup, authorizer),
    ...(options.extensions ?? []),
    pluginConfiguration(authorizer),
    ...(rbac ? [rbacEscalation({ rbac, authorizer })] : []),
    resourceQuota({
      lookup,
      updateStatus: options.updateQuotaStatus,
      ...(configuration?.limitedResources ? { limited: configuration.limitedResources } : {}),
    }),
    alwaysDeny,
  ];
  return steps.filter(
    ({ name }) =>
      !options.disable?.includes(name) && (!OFF_BY_DEFAULT.includes(name) || options.enable?.includes(name)),
  );
}
