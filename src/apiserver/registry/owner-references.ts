import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';

/** An owner is named once; the client is told when it was not. */
export function dropDuplicateOwners(object: Draft<UnstructuredObject>, warnings: string[]): void {
  const owners = object.metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  const kept = owners.filter((owner, index) => !owners.slice(0, index).some((earlier) => deepEqual(earlier, owner)));
  if (kept.length === owners.length) return;
  object.metadata.ownerReferences = kept;
  const warning =
    '.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests';
  if (!warnings.includes(warning)) warnings.push(warning);
}
