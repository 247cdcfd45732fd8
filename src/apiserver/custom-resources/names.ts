import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '../../api/types/apiextensions.v1.gen.ts';

export interface NameDecision {
  readonly acceptedNames: CustomResourceDefinitionNames;
  readonly condition: Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>;
}

/** Which of the wanted names a CRD gets, next to the `others` of its group: who was there first keeps them. */
export function decideNames(crd: CustomResourceDefinition, others: readonly CustomResourceDefinition[]): NameDecision {
  const wanted = crd.spec.names;
  const accepted = crd.status?.acceptedNames ?? ({} as Partial<CustomResourceDefinitionNames>);
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of others) {
    const names = status?.acceptedNames;
    if (!names) continue;
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) if (name) resources.add(name);
    for (const kind of [names.kind, names.listKind]) if (kind) kinds.add(kind);
  }
  const problems: { reason: string; message: string }[] = [];
  const taken = (name: string | undefined, held: string | undefined, names: ReadonlySet<string>) =>
    name !== undefined && name !== held && names.has(name) ? `${JSON.stringify(name)} is already in use` : undefined;
  const take = <K extends 'plural' | 'singular' | 'kind' | 'listKind'>(
    field: K,
    reason: string,
    names: ReadonlySet<string>,
  ) => {
    const message = taken(wanted[field], accepted[field], names);
    if (message) problems.push({ reason, message });
    return message ? accepted[field] : wanted[field];
  };
  const plural = take('plural', 'PluralConflict', resources);
  const singular = take('singular', 'SingularConflict', resources);
  const short = (wanted.shortNames ?? []).flatMap((name) => {
    const held = accepted.shortNames?.includes(name) ? name : undefined;
    return taken(name, held, resources) ?? [];
  });
  if (short.length)
    problems.push({ reason: 'ShortNamesConflict', message: short.length === 1 ? short[0]! : `[${short.join(', ')}]` });
  const shortNames = short.length ? accepted.shortNames : wanted.shortNames;
  const kind = take('kind', 'KindConflict', kinds);
  const listKind = take('listKind', 'ListKindConflict', kinds);
  const problem = problems.at(-1);
  return {
    acceptedNames: {
      plural: plural ?? '',
      ...(singular ? { singular } : {}),
      ...(shortNames?.length ? { shortNames } : {}),
      kind: kind ?? '',
      ...(listKind ? { listKind } : {}),
      ...(wanted.categories?.length ? { categories: wanted.categories } : {}),
    },
    condition: problem
      ? { type: 'NamesAccepted', status: 'False', ...problem }
      : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
  };
}
