import type { Namespace, Pod, PodTemplateSpec } from '../../../api/types/core.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { invalid } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../../sdk/admission.ts';
import { type AdmissionLookup, find } from '../lookup.ts';
import { aggregate, isFor, rejected } from '../rejection.ts';
import { describeViolations, violationsOf } from './evaluate.ts';
import { LEVELS, type LevelVersion, MODES, type Policy, readPolicy, showLevel } from './policy.ts';
import type { PodLike } from './violation.ts';

export interface PodSecurityOptions {
  readonly lookup: AdmissionLookup;
  /** Of namespaces whose labels say nothing; privileged when absent. */
  readonly defaults?: Policy;
  readonly exempt?: {
    readonly usernames?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly runtimeClasses?: readonly string[];
  };
}

const ANNOTATION = 'pod-security.kubernetes.io/';
const ENFORCED = `${ANNOTATION}enforce-policy`;
/** Pods looked at when a namespace is tightened, so that the warning comes in time. */
const MAX_PODS_CHECKED = 3000;

/** Where each kind keeps its pod template. */
const TEMPLATES: Readonly<Record<string, (object: Workload) => PodTemplateSpec | undefined>> = {
  '/replicationcontrollers': ({ spec }) => spec?.template,
  '/podtemplates': ({ template }) => template,
  'apps/deployments': ({ spec }) => spec?.template,
  'apps/replicasets': ({ spec }) => spec?.template,
  'apps/daemonsets': ({ spec }) => spec?.template,
  'apps/statefulsets': ({ spec }) => spec?.template,
  'batch/jobs': ({ spec }) => spec?.template,
  'batch/cronjobs': ({ spec }) => spec?.jobTemplate?.spec?.template,
};

interface Workload {
  readonly template?: PodTemplateSpec;
  readonly spec?: {
    readonly template?: PodTemplateSpec;
    readonly jobTemplate?: { readonly spec?: { readonly template?: PodTemplateSpec } };
  };
}

/** The Pod Security Standards, per namespace by its labels: enforced on pods, warned of and audited on workloads too. */
export function podSecurity({ lookup, defaults, exempt = {} }: PodSecurityOptions): AdmissionStep {
  async function policyFor(attributes: AdmissionAttributes): Promise<Policy | undefined> {
    if (exempt.namespaces?.includes(attributes.namespace)) return exempted(attributes, 'namespace');
    if (exempt.usernames?.includes(attributes.user.name)) return exempted(attributes, 'user');
    const namespace = await find(lookup, 'namespaces', attributes.namespace);
    const { policy, errors } = readPolicy(namespace?.metadata.labels, defaults);
    if (errors.length)
      attributes.annotateAudit(`${ANNOTATION}error`, `Failed to parse policy: ${aggregate(errors.map(String))}`);
    if (errors.length || !isPrivileged(policy)) return policy;
    if (isFor(attributes, '', 'pods')) attributes.annotateAudit(ENFORCED, showLevel(policy.enforce));
    return undefined;
  }

  async function checkPods(
    attributes: AdmissionAttributes,
    object: UnstructuredObject,
    pod: PodLike,
    enforced: boolean,
  ): Promise<void> {
    const policy = await policyFor(attributes);
    if (!policy) return;
    if (pod.spec.runtimeClassName && exempt.runtimeClasses?.includes(pod.spec.runtimeClassName))
      return exempted(attributes, 'runtimeClass');
    const against = (level: LevelVersion) => {
      const violations = violationsOf(pod, level);
      return violations.length
        ? `violate PodSecurity "${showLevel(level)}": ${describeViolations(violations)}`
        : undefined;
    };
    if (enforced) attributes.annotateAudit(ENFORCED, showLevel(policy.enforce));
    const audited = against(policy.audit);
    if (audited) attributes.annotateAudit(`${ANNOTATION}audit-violations`, `would ${audited}`);
    const refused = enforced ? against(policy.enforce) : undefined;
    if (refused) throw rejected(attributes, object, refused.replace('violate', 'violates'));
    const warned = against(policy.warn);
    if (warned) attributes.warn(`would ${warned}`);
  }

  function checkNamespace(attributes: AdmissionAttributes, namespace: Namespace): void {
    const { name } = namespace.metadata;
    const { policy, errors } = readPolicy(namespace.metadata.labels, defaults);
    const before = readPolicy((attributes.oldObject as unknown as Namespace | undefined)?.metadata.labels, defaults);
    const known = new Set(before.errors.map(String));
    const fresh = errors.filter((error) => !known.has(String(error)));
    if (fresh.length) throw invalid({ group: '', kind: 'Namespace' }, name, fresh);
    if (
      attributes.operation === 'UPDATE' &&
      (policy.enforce.level === 'privileged' || isRelaxed(before.policy.enforce, policy.enforce))
    )
      return;
    if (!exempt.namespaces?.includes(name)) {
      if (attributes.operation === 'UPDATE') warnOfExistingPods(attributes, namespace, policy);
    } else if (!isPrivileged(policy) && !deepEqual(policy, defaults))
      attributes.warn(
        `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${showPolicy(policy)}) will be ignored`,
      );
  }

  function warnOfExistingPods(attributes: AdmissionAttributes, namespace: Namespace, policy: Policy): void {
    const byViolation = new Map<string, string[]>();
    const pods = lookup.list('pods', namespace.metadata.name);
    for (const pod of pods.slice(0, MAX_PODS_CHECKED)) {
      if (pod.spec.runtimeClassName && exempt.runtimeClasses?.includes(pod.spec.runtimeClassName)) continue;
      const violations = violationsOf(pod, policy.enforce);
      if (violations.length === 0) continue;
      const reasons = violations.map(({ reason }) => reason).join(', ');
      byViolation.set(reasons, [...(byViolation.get(reasons) ?? []), pod.metadata.name]);
    }
    if (pods.length > MAX_PODS_CHECKED)
      attributes.warn(
        `new PodSecurity enforce level only checked against the first ${MAX_PODS_CHECKED} of ${pods.length} existing pods`,
      );
    if (byViolation.size === 0) return;
    attributes.warn(
      `existing pods in namespace ${JSON.stringify(namespace.metadata.name)} violate the new PodSecurity enforce level "${showLevel(policy.enforce)}"`,
    );
    for (const [reasons, names] of [...byViolation].sort(([, a], [, b]) => (a[0]! < b[0]! ? -1 : 1))) {
      const others = names.length - 1;
      const who = others === 0 ? names[0] : `${names[0]} (and ${others} other ${others === 1 ? 'pod' : 'pods'})`;
      attributes.warn(`${who}: ${reasons}`);
    }
  }

  return {
    name: 'PodSecurity',
    handles({ operation, resource, subresource }) {
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      const key = `${resource.group}/${resource.resource}`;
      if (key === '/pods') return subresource === '' || subresource === 'ephemeralcontainers';
      return subresource === '' && (key === '/namespaces' || TEMPLATES[key] !== undefined);
    },
    async validate(attributes, object) {
      if (!object) return;
      const key = `${attributes.resource.group}/${attributes.resource.resource}`;
      if (key === '/namespaces') return checkNamespace(attributes, object as unknown as Namespace);
      if (key === '/pods') {
        const pod = object as unknown as Pod;
        if (
          attributes.operation === 'UPDATE' &&
          attributes.subresource === '' &&
          !isSignificantUpdate(pod, attributes.oldObject as unknown as Pod)
        )
          return;
        return checkPods(attributes, object, pod, true);
      }
      const template = TEMPLATES[key]!(object as unknown as Workload);
      if (template?.spec)
        await checkPods(
          attributes,
          object,
          { spec: template.spec, ...(template.metadata ? { metadata: template.metadata } : {}) },
          false,
        );
    },
  };
}

/** Not looked at, which the audit log tells. */
function exempted(attributes: AdmissionAttributes, by: 'namespace' | 'user' | 'runtimeClass'): undefined {
  attributes.annotateAudit(`${ANNOTATION}exempt`, by);
}

const isPrivileged = (policy: Policy) => MODES.every((mode) => policy[mode].level === 'privileged');

/** `enforce=baseline:latest, warn=restricted:latest`: what demands anything. */
const showPolicy = (policy: Policy) =>
  MODES.filter((mode) => policy[mode].level !== 'privileged')
    .map((mode) => `${mode}=${showLevel(policy[mode])}`)
    .join(', ');

/** Whether whatever passed `before` passes `now`. */
function isRelaxed(before: LevelVersion, now: LevelVersion): boolean {
  return before.version === now.version && LEVELS.indexOf(now.level) <= LEVELS.indexOf(before.level);
}

/** What may change in a running pod is mostly harmless; a container's image and security context are not. */
function isSignificantUpdate(pod: Pod, old: Pod): boolean {
  const relevant = ({ spec, metadata }: Pod) =>
    JSON.stringify([
      [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])].map(
        ({ name, image, securityContext }) => [name, image, securityContext],
      ),
      spec.securityContext,
      Object.entries(metadata.annotations ?? {})
        .filter(([key]) => key.includes('seccomp.security.alpha') || key.includes('apparmor.security.beta'))
        .sort(),
    ]);
  return relevant(pod) !== relevant(old);
}
