/** What the condition types of all kinds share. */
export interface ConditionLike {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** Epoch milliseconds in the form of `metav1.Time`: whole seconds, UTC. */
export function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}

export function conditionOf<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * The list with `condition` in it. The transition time is kept as long as the status is, and the same list is returned
 * when nothing changes.
 */
export function withCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  condition: C,
  now: number,
): readonly C[] {
  const list = conditions ?? [];
  const old = conditionOf(list, condition.type);
  const lastTransitionTime =
    old?.status === condition.status && old.lastTransitionTime ? old.lastTransitionTime : timestamp(now);
  const next = { ...condition, lastTransitionTime };
  if (!old) return [...list, next];
  if (old.status === next.status && old.reason === next.reason && old.message === next.message) return list;
  return list.map((existing) => (existing === old ? next : existing));
}

export function withoutCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): readonly C[] {
  return conditions?.filter((condition) => condition.type !== type) ?? [];
}
