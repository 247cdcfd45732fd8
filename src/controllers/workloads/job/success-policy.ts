import type { Job } from '../../../api/types/batch.v1.gen.ts';
import { IndexSet } from './index-set.ts';

/** The message of the first rule of the success policy that is met. */
export function metSuccessRule({ spec }: Job, succeeded: IndexSet): string | undefined {
  for (const [index, { succeededCount, succeededIndexes }] of (spec.successPolicy?.rules ?? []).entries()) {
    const required =
      succeededIndexes === undefined ? undefined : IndexSet.parse(succeededIndexes, spec.completions ?? 0);
    const count = required ? required.countIn(succeeded) : succeeded.size;
    const wanted = succeededCount ?? required?.size;
    if (wanted !== undefined && count >= wanted) return `Matched rules at index ${index}`;
  }
  return undefined;
}
