import type { Toleration } from '../../api/types/core.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';

/** Without what others of the list cover; of equal ones the first stays. */
export function mergedTolerations(all: readonly Toleration[]): Toleration[] {
  const kept: Toleration[] = [];
  for (const [index, one] of all.entries()) {
    if (kept.some((wide) => covers(wide, one))) continue;
    if (all.slice(index + 1).some((wide) => !deepEqual(wide, one) && covers(wide, one))) continue;
    kept.push(one);
  }
  return kept;
}

/** Whether `wide` tolerates all that `one` does, for at least as long. */
export function covers(wide: Toleration, one: Toleration): boolean {
  if (deepEqual(wide, one)) return true;
  if (one.key !== wide.key && (wide.key || wide.operator !== 'Exists')) return false;
  if (wide.effect && one.effect !== wide.effect) return false;
  if (
    wide.effect === 'NoExecute' &&
    wide.tolerationSeconds !== undefined &&
    (one.tolerationSeconds === undefined || one.tolerationSeconds > wide.tolerationSeconds)
  )
    return false;
  if (wide.operator === 'Exists') return true;
  if (wide.operator && wide.operator !== 'Equal') return false;
  return one.operator === 'Equal' && (one.value ?? '') === (wide.value ?? '');
}
