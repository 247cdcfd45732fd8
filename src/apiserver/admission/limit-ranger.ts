import { podTotal } from '../../api/quota/pod-usage.ts';
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionLookup } from './lookup.ts';
import { aggregate, isFor, rejected } from './rejection.ts';

type Quantities = Readonly<Record<string, string>>;

/** LimitRanges: default requests and limits for containers, and bounds for containers, pods and claims. */
export function limitRanger(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'LimitRanger',
    handles: (attributes) =>
      attributes.namespace !== '' &&
      ((attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
        (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', 'resize')) ||
        ((attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
          isFor(attributes, '', 'persistentvolumeclaims'))),
    mutate(attributes, object) {
      if (attributes.resource.resource !== 'pods' || attributes.operation !== 'CREATE') return;
      for (const range of lookup.list('limitranges', attributes.namespace))
        applyDefaults(object as unknown as Draft<Pod>, range);
    },
    validate(attributes, object) {
      if (attributes.oldObject?.metadata.deletionTimestamp !== undefined) return;
      for (const range of lookup.list('limitranges', attributes.namespace)) {
        const problems =
          attributes.resource.resource === 'pods'
            ? podProblems(object as unknown as Pod, range)
            : claimProblems(object as unknown as PersistentVolumeClaim, range);
        if (problems.length) throw rejected(attributes as AdmissionAttributes, object, aggregate(problems));
      }
    },
  };
}

function applyDefaults(pod: Draft<Pod>, range: LimitRange): void {
  const limits: Record<string, string> = {};
  const requests: Record<string, string> = {};
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== 'Container') continue;
    Object.assign(requests, item.defaultRequest);
    Object.assign(limits, item.default);
  }
  const notes: string[] = [];
  const complete = (containers: Draft<Container>[], kind: string) => {
    for (const container of containers) {
      container.resources ??= {};
      const setRequests = fill(container.resources, 'requests', requests);
      const setLimits = fill(container.resources, 'limits', limits);
      if (setRequests.length) notes.push(`${setRequests.join(', ')} request for ${kind} ${container.name}`);
      if (setLimits.length) notes.push(`${setLimits.join(', ')} limit for ${kind} ${container.name}`);
    }
  };
  complete(pod.spec.containers, 'container');
  complete(pod.spec.initContainers ?? [], 'init container');
  if (notes.length)
    pod.metadata.annotations = {
      ...pod.metadata.annotations,
      'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${notes.join('; ')}`,
    };
}

function fill(
  resources: Draft<NonNullable<Container['resources']>>,
  field: 'requests' | 'limits',
  defaults: Quantities,
): readonly string[] {
  const missing = Object.keys(defaults)
    .filter((name) => resources[field]?.[name] === undefined)
    .sort();
  if (missing.length)
    resources[field] = { ...resources[field], ...Object.fromEntries(missing.map((name) => [name, defaults[name]!])) };
  return missing;
}

function podProblems(pod: Pod, range: LimitRange): readonly string[] {
  const problems: string[] = [];
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  for (const item of range.spec?.limits ?? []) {
    if (item.type === 'Container') {
      for (const container of containers)
        problems.push(...boundProblems(item, container.resources?.requests ?? {}, container.resources?.limits ?? {}));
    } else if (item.type === 'Pod') {
      problems.push(...boundProblems(item, podTotals(pod, 'requests'), podTotals(pod, 'limits')));
    }
  }
  return problems;
}

function podTotals(pod: Pod, field: 'requests' | 'limits'): Quantities {
  const { overhead: _, ...spec } = pod.spec;
  return Object.fromEntries([...podTotal({ ...pod, spec }, field)].map(([name, value]) => [name, value.toString()]));
}

function boundProblems(item: LimitRangeItem, requests: Quantities, limits: Quantities): readonly string[] {
  const problems: string[] = [];
  for (const [name, enforced] of sorted(item.min)) {
    const stem = `minimum ${name} usage per ${item.type} is ${enforced}`;
    if (requests[name] === undefined) problems.push(`${stem}.  No request is specified`);
    else if (compare(requests[name], enforced) < 0) problems.push(`${stem}, but request is ${requests[name]}`);
    else if (limits[name] !== undefined && compare(limits[name], enforced) < 0)
      problems.push(`${stem}, but limit is ${limits[name]}`);
  }
  for (const [name, enforced] of sorted(item.max)) {
    const stem = `maximum ${name} usage per ${item.type} is ${enforced}`;
    if (limits[name] === undefined) problems.push(`${stem}.  No limit is specified`);
    else if (compare(limits[name], enforced) > 0) problems.push(`${stem}, but limit is ${limits[name]}`);
    else if (requests[name] !== undefined && compare(requests[name], enforced) > 0)
      problems.push(`${stem}, but request is ${requests[name]}`);
  }
  for (const [name, enforced] of sorted(item.maxLimitRequestRatio)) {
    const stem = `${name} max limit to request ratio per ${item.type} is ${enforced}`;
    const request = Quantity.parse(requests[name] ?? '0').toNumber();
    const limit = Quantity.parse(limits[name] ?? '0').toNumber();
    if (request === 0) problems.push(`${stem}, but no request is specified or request is 0`);
    else if (limit === 0) problems.push(`${stem}, but no limit is specified or limit is 0`);
    else if (limit / request > Quantity.parse(enforced).toNumber())
      problems.push(`${stem}, but provided ratio is ${(limit / request).toFixed(6)}`);
  }
  return problems;
}

function claimProblems(claim: PersistentVolumeClaim, range: LimitRange): readonly string[] {
  const problems: string[] = [];
  const requests = claim.spec?.resources?.requests ?? {};
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== 'PersistentVolumeClaim') continue;
    for (const [name, enforced] of sorted(item.min)) {
      const stem = `minimum ${name} usage per ${item.type} is ${enforced}`;
      if (requests[name] === undefined) problems.push(`${stem}.  No request is specified`);
      else if (compare(requests[name], enforced) < 0) problems.push(`${stem}, but request is ${requests[name]}`);
    }
    for (const [name, enforced] of sorted(item.max)) {
      const stem = `maximum ${name} usage per ${item.type} is ${enforced}`;
      if (requests[name] === undefined) problems.push(`${stem}.  No request is specified`);
      else if (compare(requests[name], enforced) > 0) problems.push(`${stem}, but request is ${requests[name]}`);
    }
  }
  return problems;
}

const sorted = (quantities: Quantities | undefined) =>
  Object.entries(quantities ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
const compare = (a: string, b: string) => Quantity.parse(a).cmp(Quantity.parse(b));
