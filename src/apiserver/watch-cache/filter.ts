import type { KindDefinition } from '../../api/kind.ts';
import { type FieldSelector, parseFieldSelector } from '../../apimachinery/fields.ts';
import { type LabelSelectorMatcher, parseLabelSelector } from '../../apimachinery/labels.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest } from '../../apimachinery/status-error.ts';
import type { Entry } from './entry.ts';

/** Which objects of a resource a list or watch is about. */
export interface Selection {
  /** Equal selections of a definition have equal ids. */
  readonly id: string;
  readonly namespace: string;
  /** The one object it can be, from the path or `metadata.name=`. */
  readonly name: string | undefined;
  /** An equality on an indexed field. */
  readonly indexed: { readonly field: string; readonly value: string } | undefined;
  /** An equality on a label. */
  readonly label: { readonly key: string; readonly value: string } | undefined;
  /** Whether label or field selectors narrow it. */
  readonly filtered: boolean;
  /** Whether an object (of the right namespace and name) is selected; reads the served version. */
  matches(entry: Entry): boolean;
}

/** Throws StatusError 400 for selectors that don't parse and fields that the kind does not offer. */
export function compileSelection(
  definition: KindDefinition,
  namespace: string,
  labelSelector: string | undefined,
  fieldSelector: string | undefined,
): Selection {
  const labels = labelSelector ? parseLabelSelector(labelSelector) : undefined;
  const fields = fieldSelector ? parseFieldSelector(fieldSelector) : undefined;
  let name: string | undefined;
  let indexed: Selection['indexed'];
  for (const requirement of fields?.requirements ?? []) {
    const { field } = requirement;
    if (!isSelectable(definition, field)) throw badRequest(unknownField(definition, field));
    if (requirement.operator !== '=') continue;
    if (field === 'metadata.name') name = requirement.value;
    else if (definition.indexedFields?.includes(field)) indexed = { field, value: requirement.value };
  }
  const narrowing = [
    labels && !labels.empty ? labels : undefined,
    fields?.requirements.length ? fields : undefined,
  ] as const;
  return {
    id: JSON.stringify([namespace, labelSelector, fieldSelector]),
    namespace,
    name,
    indexed,
    label: labels && equality(labels),
    filtered: narrowing[0] !== undefined || narrowing[1] !== undefined,
    matches: matcher(definition, ...narrowing),
  };
}

function equality({ requirements }: LabelSelectorMatcher): Selection['label'] {
  for (const { key, operator, values } of requirements) {
    const [value] = values;
    if ((operator === '=' || operator === '==' || operator === 'in') && values.length === 1 && value !== undefined)
      return { key, value };
  }
  return undefined;
}

function matcher(
  definition: KindDefinition,
  labels: LabelSelectorMatcher | undefined,
  fields: FieldSelector | undefined,
) {
  if (!labels && !fields) return () => true;
  return (entry: Entry) => {
    const { object } = entry.as(definition);
    if (labels && !labels.matches(object.metadata.labels)) return false;
    return !fields || fields.matches((field) => fieldOf(definition, object, field));
  };
}

export function fieldOf(definition: KindDefinition, object: UnstructuredObject, field: string): string | undefined {
  if (field === 'metadata.name') return object.metadata.name;
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  return definition.selectableFields[field]?.(object);
}

/** Kinds that have no fields of their own to select by all take the same two. */
const isPlain = ({ selectableFields, decoding }: KindDefinition) =>
  Object.keys(selectableFields).length === 0 && decoding === undefined;

function isSelectable(definition: KindDefinition, field: string): boolean {
  if (field === 'metadata.namespace') return definition.namespaced || isPlain(definition);
  return field === 'metadata.name' || Object.hasOwn(definition.selectableFields, field);
}

/** Upstream has words of their own for some kinds. */
function unknownField(definition: KindDefinition, field: string): string {
  const { group, version, kind } = definition;
  if (isPlain(definition))
    return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
  if (group === 'batch' && kind === 'Job') return `field label "${field}" not supported for Job`;
  if (group === 'resource.k8s.io') return `field label not supported for ${group}/${version}, Kind=${kind}: ${field}`;
  return `field label not supported: ${field}`;
}
