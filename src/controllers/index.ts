import type { Secret, ServiceAccount } from '../api/types/core.v1.gen.ts';
import {
  type HorizontalPodAutoscalerOptions,
  horizontalPodAutoscalerController,
} from './autoscaling/horizontal-pod-autoscaler-controller.ts';
import {
  csrApprovingController,
  csrCleanerController,
  csrSigningController,
  type SigningRequest,
} from './certificates/csr-controllers.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation-controller.ts';
import { endpointsController } from './endpoints/endpoints-controller.ts';
import { endpointSliceController } from './endpoints/endpointslice-controller.ts';
import { endpointSliceMirroringController } from './endpoints/endpointslice-mirroring-controller.ts';
import { garbageCollector } from './garbage-collector/garbage-collector.ts';
import { namespaceController } from './namespace/namespace-controller.ts';
import { type NodeIpamOptions, nodeIpamController } from './node/node-ipam-controller.ts';
import { type NodeLifecycleOptions, nodeLifecycleController } from './node/node-lifecycle-controller.ts';
import { type PodGcOptions, podGcController } from './node/pod-gc-controller.ts';
import { taintEvictionController } from './node/taint-eviction-controller.ts';
import { disruptionController } from './policy/disruption-controller.ts';
import { resourceQuotaController } from './policy/resource-quota-controller.ts';
import type { ControllerDefinition } from './runtime/index.ts';
import { bootstrapSignerController, tokenCleanerController } from './service-account/bootstrap-token-controllers.ts';
import { rootCaController } from './service-account/root-ca-controller.ts';
import { serviceAccountController } from './service-account/service-account-controller.ts';
import { tokenSecretController } from './service-account/token-secret-controller.ts';
import { serviceCidrController } from './service-cidr-controller.ts';
import { storageVersionMigratorController } from './storage-version-migrator-controller.ts';
import { ttlAfterFinishedController } from './ttl-after-finished-controller.ts';
import { ephemeralVolumeController } from './volume/ephemeral-volume-controller.ts';
import { persistentVolumeBinder } from './volume/persistent-volume-binder.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './volume/protection-controllers.ts';
import { workloadControllers } from './workloads/index.ts';

export * from './runtime/index.ts';

export interface BuiltinControllersOptions {
  /** The cluster's CA, PEM: published to every namespace. */
  readonly rootCa: string;
  /** Signs certificates for approved requests; without it they stay unsigned. */
  readonly signCertificate?: (request: SigningRequest) => Promise<string>;
  /** Makes the token of a Secret of type `kubernetes.io/service-account-token`; without it such Secrets stay empty. */
  readonly issueSecretToken?: (account: ServiceAccount, secret: Secret) => Promise<string> | string;
  readonly nodeIpam?: NodeIpamOptions;
  readonly nodeLifecycle?: NodeLifecycleOptions;
  readonly podGc?: PodGcOptions;
  readonly horizontalPodAutoscaler?: HorizontalPodAutoscalerOptions;
  /** Names of controllers to leave out. */
  readonly disabled?: readonly string[];
}

/** The controllers of kube-controller-manager, for `createControllerManager`. */
export function builtinControllers(options: BuiltinControllersOptions): readonly ControllerDefinition[] {
  const { rootCa, signCertificate, issueSecretToken } = options;
  const all = [
    namespaceController(),
    serviceAccountController(),
    rootCaController({ rootCa }),
    ...(issueSecretToken ? [tokenSecretController({ rootCa, issue: issueSecretToken })] : []),
    endpointsController(),
    endpointSliceController(),
    endpointSliceMirroringController(),
    nodeIpamController(options.nodeIpam),
    nodeLifecycleController(options.nodeLifecycle),
    taintEvictionController(),
    podGcController(options.podGc),
    persistentVolumeBinder(),
    claimProtectionController(),
    volumeProtectionController(),
    attributesClassProtectionController(),
    ephemeralVolumeController(),
    disruptionController(),
    resourceQuotaController(),
    clusterRoleAggregationController(),
    ttlAfterFinishedController(),
    horizontalPodAutoscalerController(options.horizontalPodAutoscaler),
    serviceCidrController(),
    storageVersionMigratorController(),
    tokenCleanerController(),
    bootstrapSignerController(),
    csrApprovingController(),
    csrCleanerController(),
    ...(signCertificate ? [csrSigningController({ sign: signCertificate })] : []),
    ...workloadControllers(),
    // Last: it shares the informers that the others have asked for.
    garbageCollector(),
  ];
  return all.filter(({ name }) => !options.disabled?.includes(name));
}
