import { type FieldError, type FieldPath, forbiddenField, invalidValue } from '../../apimachinery/field.ts';
import type { Container, EphemeralContainer, PodSpec } from '../types/core.v1.gen.ts';
import type { PodAllowances } from './pod-spec/allowances.ts';
import { validateLocalPath } from './pod-spec/paths.ts';
import { validateTolerations } from './pod-spec/scheduling.ts';
import { visitContainers } from './pod-spec/visit-containers.ts';

type Annotations = Readonly<Record<string, string>>;

const mirrorKey = 'kubernetes.io/config.mirror';
const deletionCostKey = 'controller.kubernetes.io/pod-deletion-cost';
const tolerationsKey = 'scheduler.alpha.kubernetes.io/tolerations';
export const seccompPodKey = 'seccomp.security.alpha.kubernetes.io/pod';
export const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';
export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';

/** A mirror pod shows what a kubelet runs from a file. */
export const isMirror = (annotations: Annotations | undefined) => annotations?.[mirrorKey] !== undefined;

/** Annotations of pods and templates that mean something to Kubernetes. */
export function validatePodAnnotations(
  annotations: Annotations | undefined,
  spec: PodSpec,
  path: FieldPath,
  { anyDeletionCost, comparingTolerations }: PodAllowances,
): FieldError[] {
  if (!annotations) return [];
  const errors: FieldError[] = [];
  const mirror = annotations[mirrorKey];
  if (mirror !== undefined && !spec.nodeName)
    errors.push(invalidValue(path.key(mirrorKey), mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  if (annotations[tolerationsKey])
    errors.push(...validateTolerationsText(annotations[tolerationsKey], path, comparingTolerations));
  const cost = annotations[deletionCostKey];
  if (cost !== undefined && !anyDeletionCost && !isDeletionCost(cost))
    errors.push(invalidValue(path.key(deletionCostKey), cost, 'must be a 32bit integer'));
  const seccomp = annotations[seccompPodKey];
  if (seccomp !== undefined) errors.push(...validateSeccompText(seccomp, path.child(seccompPodKey)));
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(seccompContainerPrefix)) errors.push(...validateSeccompText(value, path.child(key)));
    if (key.startsWith(appArmorPrefix)) {
      const name = key.slice(appArmorPrefix.length);
      if (!hasContainer(spec, name)) errors.push(invalidValue(path.key(key), name, 'container not found'));
      if (value !== '' && value !== 'runtime/default' && value !== 'unconfined' && !value.startsWith('localhost/'))
        errors.push(invalidValue(path.key(key), value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
    }
  }
  return errors;
}

export const hasInvalidDeletionCost = (annotations: Annotations | undefined): boolean =>
  annotations?.[deletionCostKey] !== undefined && !isDeletionCost(annotations[deletionCostKey]);

/** What Go's ParseInt takes, without a plus sign and without leading zeros. */
function isDeletionCost(text: string): boolean {
  return /^(?:0|-\d+|[1-9]\d*)$/.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

function validateTolerationsText(text: string, path: FieldPath, comparing: boolean): FieldError[] {
  try {
    return validateTolerations(JSON.parse(text) as [], path.child(tolerationsKey), comparing);
  } catch (error) {
    return [invalidValue(path, tolerationsKey, (error as Error).message)];
  }
}

function validateSeccompText(profile: string, path: FieldPath): FieldError[] {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return [];
  if (profile.startsWith('localhost/')) return validateLocalPath(profile.slice('localhost/'.length), path);
  return [invalidValue(path, profile, 'must be a valid seccomp profile')];
}

function hasContainer(spec: PodSpec, name: string): boolean {
  const lists = [spec.initContainers, spec.containers, spec.ephemeralContainers];
  return lists.some((containers: readonly (Container | EphemeralContainer)[] | undefined) =>
    containers?.some((container) => container.name === name),
  );
}

interface Profile {
  readonly type?: string;
  readonly localhostProfile?: string;
}

/** Profiles that both an old annotation and a field name must be the same. */
export function validateProfileAnnotations(
  annotations: Annotations | undefined,
  spec: PodSpec,
  path: FieldPath,
): FieldError[] {
  if (!annotations || !Object.keys(annotations).some((key) => key.includes('.security.'))) return [];
  const errors: FieldError[] = [];
  const ofPod = spec.securityContext?.seccompProfile;
  const podText = annotations[seccompPodKey];
  if (ofPod && podText !== undefined)
    errors.push(...compare('seccomp', podText, ofPod, path.child('securityContext', 'seccompProfile')));
  visitContainers(spec, path, ({ name, securityContext }, at) => {
    const text = annotations[seccompContainerPrefix + name];
    const profile = securityContext?.seccompProfile;
    if (text !== undefined && profile)
      errors.push(...compare('seccomp', text, profile, at.child('securityContext', 'seccompProfile')));
  });
  if (spec.os?.name === 'windows') return errors;
  visitContainers(spec, path, ({ name, securityContext }, at) => {
    const text = annotations[appArmorPrefix + name];
    const profile = securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    if (text !== undefined && profile)
      errors.push(...compare('apparmor', text, profile, at.child('securityContext', 'appArmorProfile')));
  });
  return errors;
}

function compare(what: 'seccomp' | 'apparmor', text: string, profile: Profile, path: FieldPath): FieldError[] {
  const differs = (field: string, noun: string) => [
    forbiddenField(path.child(field), `${what} ${noun} in annotation and field must match`),
  ];
  switch (profile.type) {
    case 'Unconfined':
      return text === 'unconfined' ? [] : differs('type', 'type');
    case 'RuntimeDefault':
      return text === 'runtime/default' || (what === 'seccomp' && text === 'docker/default')
        ? []
        : differs('type', 'type');
    case 'Localhost':
      if (!text.startsWith('localhost/')) return differs('type', 'type');
      return text.slice('localhost/'.length) === profile.localhostProfile ? [] : differs('localhostProfile', 'profile');
    default:
      return [];
  }
}

/** Neither a mirror pod nor the old way to name an AppArmor profile begins or ends with an update. */
export function validatePodAnnotationsUpdate(
  annotations: Annotations = {},
  old: Annotations = {},
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  const check = (key: string, verb: string) => {
    if (key.startsWith(appArmorPrefix))
      errors.push(forbiddenField(path.key(key), `may not ${verb} AppArmor annotations`));
    if (key === mirrorKey) errors.push(forbiddenField(path.key(key), `may not ${verb} mirror pod annotation`));
  };
  for (const [key, value] of Object.entries(old)) if (annotations[key] !== value) check(key, 'remove or update');
  for (const key of Object.keys(annotations)) if (old[key] === undefined) check(key, 'add');
  return errors;
}
