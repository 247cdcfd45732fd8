import {
  duplicate,
  type FieldError,
  type FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { isDns1123Label, isQualifiedName } from '../../../apimachinery/names.ts';
import { isQuantity, Quantity } from '../../../apimachinery/quantity.ts';
import { atLeastZero } from '../../field-checks.ts';
import type { ContainerResizePolicy, ResourceRequirements } from '../../types/core.v1.gen.ts';

export type ResourceList = Readonly<Record<string, string>>;

const integerMessage = 'must be an integer';
const hugePagesPrefix = 'hugepages-';
const nativePrefix = 'kubernetes.io/';
const requestsPrefix = 'requests.';

/** The resources that a container may ask for by a bare name. */
const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Bare names that mean something somewhere: in containers, quotas, limit ranges or volume claims. */
const standardResources = new Set([
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage', 'pods', 'resourcequotas', 'services'],
  ...['replicationcontrollers', 'secrets', 'configmaps', 'persistentvolumeclaims', 'storage', 'requests.storage'],
  ...['services.nodeports', 'services.loadbalancers'],
]);

/** Bare names whose amounts are counts. */
const integerResources = new Set([
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps'],
  ...['persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers'],
]);

export const isHugePages = (name: string) => name.startsWith(hugePagesPrefix);

/** Of no domain, or of `kubernetes.io`. */
const isNative = (name: string) => !name.includes('/') || name.includes(nativePrefix);

/** Resources of a domain of their own (`example.com/gpu`): whole numbers, not overcommitted. */
export function isExtendedResource(name: string): boolean {
  if (isNative(name) || name.startsWith(requestsPrefix)) return false;
  return isQualifiedName(`${requestsPrefix}${name}`).length === 0;
}

export const isStandardResource = (name: string) =>
  standardResources.has(name) || isHugePages(name) || name.startsWith(`${requestsPrefix}${hugePagesPrefix}`);

export const isIntegerResource = (name: string) => integerResources.has(name) || isExtendedResource(name);

/** Rounds every amount up to a thousandth and writes it in canonical form. Amounts that are no quantities stay. */
export function roundResourceList(list: Record<string, string>): void {
  for (const [name, amount] of Object.entries(list)) {
    if (isQuantity(amount)) list[name] = Quantity.parse(amount).roundUp(-3).toString();
  }
}

export function parseAmount(amount: string | undefined): Quantity | undefined {
  return amount !== undefined && isQuantity(amount) ? Quantity.parse(amount) : undefined;
}

/** A resource name of a quota, a limit range or a node. */
export function validateResourceName(name: string, path: FieldPath): FieldError[] {
  const errors = isQualifiedName(name).map((message) => invalidValue(path, name, message));
  if (errors.length > 0) return errors;
  if (!name.includes('/') && !isStandardResource(name))
    return [invalidValue(path, name, 'must be a standard resource type or fully qualified')];
  return [];
}

function validateContainerResourceName(name: string, path: FieldPath): FieldError[] {
  const errors = isQualifiedName(name).map((message) => invalidValue(path, name, message));
  if (errors.length > 0) return errors;
  if (!name.includes('/')) {
    if (!containerResources.has(name) && !isHugePages(name))
      return [invalidValue(path, name, 'must be a standard resource for containers')];
  } else if (!isNative(name) && !isExtendedResource(name)) {
    return [invalidValue(path, name, "doesn't follow extended resource name standard")];
  }
  return [];
}

export function validateNonNegativeQuantity(amount: Quantity, path: FieldPath): FieldError[] {
  return amount.sign() < 0 ? [invalidValue(path, amount.toString(), atLeastZero)] : [];
}

/** An amount of a named resource: not negative, whole for counts. */
export function validateResourceAmount(name: string, text: string, path: FieldPath): FieldError[] {
  const amount = parseAmount(text);
  if (!amount) return [];
  const errors = validateNonNegativeQuantity(amount, path);
  if (isIntegerResource(name) && amount.milliValue() % 1000 !== 0)
    errors.push(invalidValue(path, amount.toString(), integerMessage));
  return errors;
}

/** `claimNames`: of the pod's resourceClaims. */
export function validateResourceRequirements(
  resources: ResourceRequirements | undefined,
  path: FieldPath,
  claimNames: ReadonlySet<string>,
): FieldError[] {
  if (!resources) return [];
  const errors: FieldError[] = [];
  const limits: ResourceList = resources.limits ?? {};
  const requests: ResourceList = resources.requests ?? {};
  const limitsPath = path.child('limits');
  const requestsPath = path.child('requests');
  let hasHugePages = false;
  let hasCpuOrMemory = false;

  for (const [name, text] of Object.entries(limits)) {
    errors.push(...validateContainerResourceName(name, limitsPath));
    errors.push(...validateResourceAmount(name, text, limitsPath.key(name)));
    hasHugePages ||= isHugePages(name);
    hasCpuOrMemory ||= name === 'cpu' || name === 'memory';
  }
  for (const [name, text] of Object.entries(requests)) {
    errors.push(...validateContainerResourceName(name, requestsPath));
    errors.push(...validateResourceAmount(name, text, requestsPath.key(name)));
    hasHugePages ||= isHugePages(name);
    hasCpuOrMemory ||= name === 'cpu' || name === 'memory';
    errors.push(...validateRequestAgainstLimit(name, text, limits[name], requestsPath, limitsPath));
  }
  if (hasHugePages && !hasCpuOrMemory) errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  errors.push(...validateClaims(resources.claims, path.child('claims'), claimNames));
  return errors;
}

function validateRequestAgainstLimit(
  name: string,
  requestText: string,
  limitText: string | undefined,
  requestsPath: FieldPath,
  limitsPath: FieldPath,
): FieldError[] {
  const request = parseAmount(requestText);
  const limit = parseAmount(limitText);
  const overcommits = !isExtendedResource(name) && !isHugePages(name);
  if (!request) return [];
  if (limit) {
    if (request.cmp(limit) !== 0 && !overcommits)
      return [invalidValue(requestsPath, request.toString(), `must be equal to ${name} limit of ${limit}`)];
    if (request.cmp(limit) > 0)
      return [
        invalidValue(requestsPath, request.toString(), `must be less than or equal to ${name} limit of ${limit}`),
      ];
    return [];
  }
  return overcommits ? [] : [required(limitsPath, 'Limit must be set for non overcommitable resources')];
}

function validateClaims(
  claims: ResourceRequirements['claims'],
  path: FieldPath,
  claimNames: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  (claims ?? []).forEach((claim, index) => {
    const at = path.index(index);
    if (!claim.name) errors.push(required(at.child('name')));
    else {
      const key = claim.request ? `${claim.name}/${claim.request}` : claim.name;
      // The whole claim and a request of it exclude each other.
      if (seen.has(key) || (claim.request && seen.has(claim.name))) errors.push(duplicate(at, key));
      seen.add(key);
      if (!claimNames.has(claim.name)) errors.push(fieldNotFound(at.child('name'), claim.name));
    }
    if (claim.request)
      for (const message of isDns1123Label(claim.request))
        errors.push(invalidValue(at.child('request'), claim.request, message));
  });
  return errors;
}

export function validateResizePolicy(
  policies: readonly ContainerResizePolicy[] | undefined,
  path: FieldPath,
  podRestartPolicy: string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  (policies ?? []).forEach((policy, index) => {
    if (seen.has(policy.resourceName)) errors.push(duplicate(path.index(index), policy.resourceName));
    seen.add(policy.resourceName);
    if (!policy.resourceName) errors.push(required(path));
    else if (!['cpu', 'memory'].includes(policy.resourceName))
      errors.push(notSupported(path, policy.resourceName, ['cpu', 'memory']));
    if (!policy.restartPolicy) errors.push(required(path));
    else if (!['NotRequired', 'RestartContainer'].includes(policy.restartPolicy))
      errors.push(notSupported(path, policy.restartPolicy, ['NotRequired', 'RestartContainer']));
    if (podRestartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired')
      errors.push(invalidValue(path, policy.restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
  });
  return errors;
}

/** Resources of the whole pod: cpu, memory and huge pages, not less than what its containers ask for together. */
export function validatePodLevelResources(resources: ResourceRequirements | undefined, path: FieldPath): FieldError[] {
  if (!resources) return [];
  const errors: FieldError[] = [];
  if (resources.claims?.length)
    errors.push(forbiddenField(path.child('claims'), 'claims may not be set for Resources at pod-level'));
  const supported = (name: string) => name === 'cpu' || name === 'memory' || isHugePages(name);
  for (const list of ['limits', 'requests'] as const) {
    for (const name of Object.keys(resources[list] ?? {}))
      if (!supported(name))
        errors.push(notSupported(path.child(list).key(name), name, ['cpu', 'hugepages-', 'memory']));
  }
  if (errors.length > 0) return errors;
  return validateResourceRequirements({ ...resources, claims: [] }, path, new Set());
}
