import type { Taint, Toleration } from '../types/core.v1.gen.ts';

/** Whether a toleration covers a taint, as the API documents `Toleration`. */
export function tolerates(
  toleration: Toleration,
  taint: Pick<Taint, 'key' | 'effect'> & { readonly value?: string },
): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
    case 'Lt':
      return compare(toleration, taint, (taintValue, value) => taintValue < value);
    case 'Gt':
      return compare(toleration, taint, (taintValue, value) => taintValue > value);
    default:
      return false;
  }
}

function compare(
  toleration: Toleration,
  taint: { readonly value?: string },
  test: (taintValue: number, value: number) => boolean,
): boolean {
  const value = Number(toleration.value);
  const taintValue = Number(taint.value);
  return Number.isInteger(value) && Number.isInteger(taintValue) && test(taintValue, value);
}

/** The first taint of the effects that nothing tolerates. */
export function untoleratedTaint(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effects: readonly string[],
): Taint | undefined {
  return taints.find(
    (taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}
