import type { KindRegistry } from '../../../api/kind.ts';
import type { ParamKind, ParamRef } from '../../../api/types/admissionregistration.v1.gen.ts';
import { labelSelectorMatcher } from '../../../apimachinery/labels.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import type { Transport } from '../../../apimachinery/transport.ts';

/** The kind that a policy takes parameters of is not served. */
export class UnknownParamKindError extends Error {}

/**
 * The parameters that a binding refers to: one evaluation for each. `[undefined]` for a policy, or a binding, without. Throws
 * an Error when there must be some and are none.
 */
export async function parametersOf(
  kinds: KindRegistry,
  transport: Transport,
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  requestNamespace: string,
): Promise<readonly (UnstructuredObject | undefined)[]> {
  if (!paramKind) return [undefined];
  const { apiVersion = '', kind = '' } = paramKind;
  const { group, version } = groupVersionOf(apiVersion);
  const definition = kinds.byKind(group, version, kind);
  if (!definition)
    throw new UnknownParamKindError(
      `failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind}'`,
    );
  if (!paramRef) return [undefined];
  if (paramRef.namespace && !definition.namespaced)
    throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  const namespace = definition.namespaced ? paramRef.namespace || requestNamespace : '';
  if (definition.namespaced && !namespace)
    throw new Error('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const path = `${root}${namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${definition.resource}`;
  const found = paramRef.name
    ? await one(transport, `${path}/${encodeURIComponent(paramRef.name)}`)
    : await selected(transport, path, paramRef);
  if (found.length === 0 && paramRef.parameterNotFoundAction !== 'Allow')
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  return found;
}

export function groupVersionOf(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

async function one(transport: Transport, path: string): Promise<readonly UnstructuredObject[]> {
  try {
    return [(await transport.request<UnstructuredObject>({ method: 'GET', path })).body];
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return [];
    throw error;
  }
}

async function selected(
  transport: Transport,
  path: string,
  { selector }: ParamRef,
): Promise<readonly UnstructuredObject[]> {
  const labelSelector = selector ? labelSelectorMatcher(selector).toString() : '';
  const { body } = await transport.request<{ items: readonly UnstructuredObject[] }>({
    method: 'GET',
    path,
    query: labelSelector ? { labelSelector } : {},
  });
  return body.items;
}
