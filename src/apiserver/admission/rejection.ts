import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { forbidden, StatusError } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';

type Named = { readonly metadata?: { readonly name?: string; readonly generateName?: string } };

/** The 403 of an admission step: `pods "web" is forbidden: WHY`. A generated name shows as its prefix. */
export function rejected(
  attributes: AdmissionAttributes,
  object: Named | UnstructuredObject | undefined,
  why: string,
): StatusError {
  const name = attributes.name || object?.metadata?.name || object?.metadata?.generateName || 'unknown';
  return forbidden({ group: attributes.resource.group, resource: attributes.resource.resource }, name, why);
}

/** What an admission step can't go on with, in its own words: a 500 without a reason. */
export const failed = (message: string): StatusError => new StatusError({ code: 500, message });

/** Whether a request is for this resource (and no subresource of it). */
export function isFor(attributes: AdmissionAttributes, group: string, resource: string, subresource = ''): boolean {
  return (
    attributes.resource.resource === resource &&
    attributes.resource.group === group &&
    attributes.subresource === subresource
  );
}

/** Several problems as one text: `[a, b]`, or the only one. */
export const aggregate = (problems: readonly string[]): string => {
  const distinct = [...new Set(problems)];
  return distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`;
};

export const quote = (text: string) => JSON.stringify(text);
