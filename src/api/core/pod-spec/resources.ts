import {
  duplicate,
  FieldError,
  type FieldPath,
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

/** Bare names that a quota may limit. */
const quotaResources = new Set([...standardResources].filter((name) => name !== 'storage'));

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

const isQuotaHugePages = (name: string) => isHugePages(name) || name.startsWith(`${requestsPrefix}${hugePagesPrefix}`);

const isStandardResource = (name: string) => standardResources.has(name) || isQuotaHugePages(name);

export const isStandardQuotaResource = (name: string) => quotaResources.has(name) || isQuotaHugePages(name);

/** What may be asked for without being there, so that nodes can promise more than they have. */
export const isOvercommitAllowed = (name: string) => isNative(name) && !isHugePages(name);

/** What a whole pod may have resources of. */
export const isPodLevelResource = (name: string) => name === 'cpu' || name === 'memory' || isHugePages(name);

const isIntegerResource = (name: string) => integerResources.has(name) || isExtendedResource(name);

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

export function validateContainerResourceName(name: string, path: FieldPath): FieldError[] {
  if (containerResources.has(name)) return [];
  const errors = validateResourceName(name, path);
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (!isNative(name) && !isExtendedResource(name))
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  return errors;
}

function validatePodResourceName(name: string, path: FieldPath): FieldError[] {
  const errors = validateResourceName(name, path);
  if (errors.length > 0 || isPodLevelResource(name)) return errors;
  return [notSupported(path, name, ['cpu', 'hugepages-', 'memory'])];
}

function validateNonNegativeQuantity(amount: Quantity, path: FieldPath): FieldError[] {
  return amount.sign() < 0 ? [invalidValue(path, amount.toString(), atLeastZero)] : [];
}

/** An amount without a name: only its sign can be wrong. */
export function validateBasicAmount(text: string, path: FieldPath): FieldError[] {
  const amount = parseAmount(text);
  return amount && amount.sign() < 0 ? [invalidValue(path, amount.value(), 'must be a valid resource quantity')] : [];
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

/**
 * `claimNames`: of the pod's resourceClaims. `level`: whose resources they are, which decides on the names.
 * `dividedHugePages`: huge pages need not come whole.
 */
export function validateResourceRequirements(
  resources: ResourceRequirements | undefined,
  path: FieldPath,
  claimNames: ReadonlySet<string>,
  level: 'container' | 'pod' = 'container',
  dividedHugePages = false,
): FieldError[] {
  if (!resources) return [];
  const errors: FieldError[] = [];
  const limits: ResourceList = resources.limits ?? {};
  const requests: ResourceList = resources.requests ?? {};
  const limitsPath = path.child('limits');
  const requestsPath = path.child('requests');
  const validateName = level === 'pod' ? validatePodResourceName : validateContainerResourceName;
  let hasHugePages = false;
  let hasCpuOrMemory = false;
  const check = (name: string, text: string, at: FieldPath) => {
    errors.push(...validateName(name, at), ...validateResourceAmount(name, text, at));
    hasCpuOrMemory ||= name === 'cpu' || name === 'memory';
  };

  for (const [name, text] of Object.entries(limits)) {
    const at = limitsPath.key(name);
    check(name, text, at);
    if (isHugePages(name)) {
      hasHugePages = true;
      if (!dividedHugePages) errors.push(...validateHugePages(name, text, at));
    }
  }
  for (const [name, text] of Object.entries(requests)) {
    const at = requestsPath.key(name);
    check(name, text, at);
    errors.push(...validateRequestAgainstLimit(name, text, limits[name], requestsPath, limitsPath));
    if (isHugePages(name)) {
      hasHugePages = true;
      if (!dividedHugePages) errors.push(...validateHugePages(name, text, at));
    }
  }
  if (hasHugePages && !hasCpuOrMemory) errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  if (resources.claims?.length) errors.push(...validateClaims(resources.claims, path.child('claims'), claimNames));
  return errors;
}

/** Huge pages come whole: `hugepages-2Mi` in multiples of 2Mi. */
function validateHugePages(name: string, text: string, path: FieldPath): FieldError[] {
  if (isWholePages(name, text)) return [];
  const amount = parseAmount(text);
  return [invalidValue(path, amount?.toString(), `${amount} is not positive integer multiple of ${name}`)];
}

export function isWholePages(name: string, text: string): boolean {
  const amount = parseAmount(text);
  const size = parseAmount(name.slice(hugePagesPrefix.length));
  return !amount || (size !== undefined && size.sign() > 0 && amount.value() % size.value() === 0);
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
  const overcommits = isOvercommitAllowed(name);
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
  claims: NonNullable<ResourceRequirements['claims']>,
  path: FieldPath,
  claimNames: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  claims.forEach(({ name, request }, index) => {
    const at = path.index(index);
    if (!name) {
      errors.push(required(at));
      return;
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    else {
      if (request)
        for (const message of isDns1123Label(request)) errors.push(invalidValue(at.child('request'), request, message));
      const key = request ? `${name}/${request}` : name;
      if (seen.has(key)) errors.push(duplicate(at, key));
      // The whole claim and a request of it exclude each other.
      else if (!request) for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(duplicate(at, name));
      seen.add(key);
    }
    if (!claimNames.has(name)) errors.push(unknownClaim(at, name, claimNames));
  });
  return errors;
}

function unknownClaim(path: FieldPath, name: string, claimNames: ReadonlySet<string>): FieldError {
  const known = claimNames.size === 0 ? ' which is empty' : `: ${[...claimNames].sort().join(', ')}`;
  return new FieldError(
    'FieldValueNotFound',
    path,
    `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${known}`,
  );
}

export function validateResizePolicy(
  policies: readonly ContainerResizePolicy[],
  path: FieldPath,
  podRestartPolicy: string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  policies.forEach((policy, index) => {
    if (seen.has(policy.resourceName)) errors.push(duplicate(path.index(index), policy.resourceName));
    seen.add(policy.resourceName);
    if (!policy.resourceName) errors.push(required(path));
    else if (!['cpu', 'memory'].includes(policy.resourceName))
      errors.push(notSupported(path, policy.resourceName, ['cpu', 'memory']));
    if (!policy.restartPolicy) errors.push(required(path));
    else if (!['NotRequired', 'RestartContainer'].includes(policy.restartPolicy))
      errors.push(notSupported(path, policy.restartPolicy, ['NotRequired', 'RestartContainer']));
    if (podRestartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired')
      errors.push(
        invalidValue(path, policy.restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"),
      );
  });
  return errors;
}
