import type { Draft } from '../../../apimachinery/json.ts';
import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  LifecycleHandler,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceRequirements,
} from '../../types/core.v1.gen.ts';
import { aggregate } from './aggregates.ts';
import { defaultImagePullPolicy } from './image-pull-policy.ts';
import { isHugePages, isOvercommitAllowed, isPodLevelResource, roundResourceList } from './resources.ts';
import { defaultVolume } from './volume-defaults.ts';

/** Defaults of a pod template; the template gets a `metadata` and a `spec` if it has none. */
export function defaultPodTemplateSpec(template: Draft<PodTemplateSpec>): void {
  template.metadata ??= {} as Draft<PodTemplateSpec>['metadata'];
  if (template.spec) defaultPodSpec(template.spec);
}

/** Defaults that pods and pod templates have in common. */
export function defaultPodSpec(spec: Draft<PodSpec>): void {
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.containers ?? []) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  defaultResources(spec.resources);
  if (spec.overhead) roundResourceList(spec.overhead);
  spec.restartPolicy ||= 'Always';
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.schedulerName ||= 'default-scheduler';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  for (const flag of ['hostNetwork', 'hostPID', 'hostIPC'] as const) if (!spec[flag]) delete spec[flag];
  // The deprecated alias always says the same.
  const account = spec.serviceAccountName || spec.serviceAccount;
  if (account) {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
}

/** What only pods get, not templates: requests taken from limits, host ports of the host network, service links. */
export function defaultPodOnly(spec: Draft<PodSpec>): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  for (const container of containers) {
    const resources = container.resources;
    if (!resources?.limits) continue;
    resources.requests = { ...resources.limits, ...resources.requests };
  }
  defaultPodLevelResources(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) {
    for (const container of containers) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

/** A pod that has resources of its own gets what its containers make plain: limits of huge pages, and requests. */
function defaultPodLevelResources(spec: Draft<PodSpec>): void {
  const { resources } = spec;
  if (!resources?.limits && !resources?.requests) return;
  for (const [name, amount] of aggregate(spec as PodSpec, 'limits'))
    if (isHugePages(name) && resources.requests?.[name] === undefined) {
      resources.limits ??= {};
      resources.limits[name] ??= amount.toString();
    }
  if (!resources.limits) return;
  const requests = { ...resources.requests };
  for (const [name, amount] of aggregate(spec as PodSpec, 'requests'))
    if (isPodLevelResource(name) && isOvercommitAllowed(name)) requests[name] ??= amount.toString();
  resources.requests = { ...resources.limits, ...requests };
}

function defaultContainer(container: Draft<Container> | Draft<EphemeralContainer>): void {
  container.imagePullPolicy ||= defaultImagePullPolicy(container.image);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  defaultResources(container.resources);
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const variable of container.env ?? []) {
    const source = variable.valueFrom;
    if (source?.fieldRef) source.fieldRef.apiVersion ||= 'v1';
    if (source?.resourceFieldRef) source.resourceFieldRef.divisor ??= '0';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) defaultProbe(probe);
  }
  if (container.lifecycle?.postStart) defaultHandler(container.lifecycle.postStart);
  if (container.lifecycle?.preStop) defaultHandler(container.lifecycle.preStop);
}

function defaultProbe(probe: Draft<Probe>): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet) defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHandler(handler: Draft<LifecycleHandler>): void {
  if (handler.httpGet) defaultHttpGet(handler.httpGet);
}

function defaultHttpGet(action: Draft<HTTPGetAction>): void {
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function defaultResources(resources: Draft<ResourceRequirements> | undefined): void {
  if (resources?.limits) roundResourceList(resources.limits);
  if (resources?.requests) roundResourceList(resources.requests);
}
