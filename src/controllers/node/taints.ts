import type { Taint, Toleration } from '../../api/types/core.v1.gen.ts';

export const TAINT_NOT_READY = 'node.kubernetes.io/not-ready';
export const TAINT_UNREACHABLE = 'node.kubernetes.io/unreachable';
export const TAINT_UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
export const TAINT_OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

/** Which taint a node condition in a status calls for. */
export const CONDITION_TAINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: TAINT_NOT_READY, Unknown: TAINT_UNREACHABLE },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    case 'Lt':
      return integer(taint.value) < integer(toleration.value);
    case 'Gt':
      return integer(taint.value) > integer(toleration.value);
    default:
      return false;
  }
}

const integer = (value: string | undefined) => (value && /^-?\d+$/.test(value) ? Number(value) : Number.NaN);

/**
 * When a pod has to leave because of NoExecute taints: `never`, or epoch milliseconds, which may be in the past. `since`
 * stands for taints that don't say when they were added.
 */
export function evictionTime(
  tolerations: readonly Toleration[],
  taints: readonly Taint[],
  since: number,
): number | 'never' {
  let time: number | 'never' = 'never';
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    const added = taint.timeAdded ? Date.parse(taint.timeAdded) : since;
    const at = matching.length === 0 ? added : shortest(matching, added);
    if (at !== 'never' && (time === 'never' || at < time)) time = at;
  }
  return time;
}

function shortest(tolerations: readonly Toleration[], added: number): number | 'never' {
  const limits = tolerations.flatMap(({ tolerationSeconds }) =>
    tolerationSeconds === undefined ? [] : [tolerationSeconds],
  );
  return limits.length === 0 ? 'never' : added + Math.max(0, Math.min(...limits)) * 1000;
}

/** The list with these keys of one effect replaced by `wanted`; the same list when nothing changes. */
export function withTaints(
  current: readonly Taint[] | undefined,
  effect: string,
  managed: ReadonlySet<string>,
  wanted: ReadonlySet<string>,
  timeAdded?: string,
): readonly Taint[] {
  const list = current ?? [];
  const isManaged = (taint: Taint) => taint.effect === effect && managed.has(taint.key);
  const present = new Set(list.filter(isManaged).map(({ key }) => key));
  if (present.size === wanted.size && [...wanted].every((key) => present.has(key))) return list;
  const added = [...wanted]
    .filter((key) => !present.has(key))
    .map((key) => ({ key, effect, ...(timeAdded ? { timeAdded } : {}) }));
  return [...list.filter((taint) => !isManaged(taint) || wanted.has(taint.key)), ...added];
}
