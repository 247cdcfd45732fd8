import { StatusError } from '../status-error.ts';
import { difference, type FieldSet, isEmpty, memberPaths } from './field-set.ts';
import type { Manager } from './managers.ts';

/** What managers own of the fields that a configuration would change. */
export type Conflicts = readonly { readonly manager: Manager; readonly fields: FieldSet }[];

export function withoutConflicts(conflicts: Conflicts, allowed: FieldSet): Conflicts {
  return conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
}

/** 409 with a cause per manager and field. */
export function conflictError(conflicts: Conflicts): StatusError {
  const found = conflicts
    .map(({ manager, fields }) => ({ text: describe(manager), paths: memberPaths(fields) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1));
  const causes = found.flatMap(({ text, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${text}`, field })),
  );
  const [only] = causes;
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${only?.message}: ${only?.field}`
      : `Apply failed with ${causes.length} conflicts: ${found
          .flatMap(({ text, paths }) => [`conflicts with ${text}:`, ...paths.map((path) => `- ${path}`)])
          .join('\n')}`;
  return new StatusError({ code: 409, reason: 'Conflict', message, details: { causes } });
}

function describe({ name, operation, apiVersion, subresource }: Manager): string {
  const who = `${JSON.stringify(name)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}`;
  return operation === 'Update' ? `${who} using ${apiVersion}` : who;
}
