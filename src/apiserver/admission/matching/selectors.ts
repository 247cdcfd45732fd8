import { type LabelSelectorMatcher, labelSelectorMatcher } from '../../../apimachinery/labels.ts';
import type { LabelSelector, UnstructuredObject } from '../../../apimachinery/meta.ts';
import { notFound } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { ObjectReader } from '../../object-reader.ts';

/** Compiled once per configuration; an absent selector matches everything. */
export class RequestSelectors {
  readonly #namespaces: LabelSelectorMatcher | undefined;
  readonly #objects: LabelSelectorMatcher | undefined;
  readonly #reader: ObjectReader;

  constructor(
    reader: ObjectReader,
    namespaceSelector: LabelSelector | undefined,
    objectSelector: LabelSelector | undefined,
  ) {
    this.#reader = reader;
    this.#namespaces = compiled(namespaceSelector);
    this.#objects = compiled(objectSelector);
  }

  matchesObject(object: UnstructuredObject | undefined, old: UnstructuredObject | undefined): boolean {
    const selector = this.#objects;
    if (!selector) return true;
    // What can have no labels (the options of a connection) is not selected by any.
    return [object, old].some((candidate) => candidate?.metadata && selector.matches(candidate.metadata.labels));
  }

  /** Throws NotFound when the request's namespace is not there. */
  async matchesNamespace(attributes: AdmissionAttributes, object: UnstructuredObject | undefined): Promise<boolean> {
    if (!this.#namespaces) return true;
    const { resource, namespace, name, operation } = attributes;
    if (resource.group === '' && resource.resource === 'namespaces') {
      if (operation === 'CREATE' || operation === 'UPDATE') return this.#namespaces.matches(object?.metadata.labels);
      return this.#namespaces.matches((await namespaceOf(this.#reader, name)).metadata.labels);
    }
    if (namespace === '') return true;
    return this.#namespaces.matches((await namespaceOf(this.#reader, namespace)).metadata.labels);
  }
}

function compiled(selector: LabelSelector | undefined): LabelSelectorMatcher | undefined {
  const matcher = selector && labelSelectorMatcher(selector);
  return matcher?.empty ? undefined : matcher;
}

export async function namespaceOf(reader: ObjectReader, name: string): Promise<UnstructuredObject> {
  const found = reader.get('namespaces', name) ?? (await reader.fetch('namespaces', name));
  if (!found) throw notFound({ group: '', resource: 'namespaces' }, name);
  return found;
}
