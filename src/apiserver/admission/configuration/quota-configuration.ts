import { FieldPath, required } from '../../../apimachinery/field.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';
import type { LimitedResource } from '../limited-resources.ts';

const KINDS: Readonly<Record<string, readonly string[]>> = {
  ResourceQuotaConfiguration: ['apiserver.config.k8s.io/v1', 'resourcequota.admission.k8s.io/v1'],
  Configuration: ['resourcequota.admission.k8s.io/v1beta1', 'resourcequota.admission.k8s.io/v1alpha1'],
};
const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** A ResourceQuotaConfiguration: what needs a quota that covers it. Throws ConfigurationFault. */
export function readLimitedResources(given: unknown): readonly LimitedResource[] {
  const stated = (given as { readonly kind?: unknown } | null | undefined)?.kind;
  const kind = stated === 'Configuration' ? stated : 'ResourceQuotaConfiguration';
  const document = new ConfigurationDocument(given, kind, KINDS[kind]!, ['limitedResources']);
  const texts = (from: unknown, path: FieldPath) =>
    document.list(from, path).map(({ value, path: at }) => document.text(value, at));
  const limited = document
    .list(document.root.limitedResources, FieldPath.of('limitedResources'))
    .map(({ value, path }): LimitedResource => {
      const fields = document.fields(value, path, ['apiGroup', 'resource', 'matchContains', 'matchScopes']);
      const resource = document.text(fields.resource, path.child('resource'));
      if (resource === '') document.errors.push(required(path.child('resource')));
      return {
        group: document.text(fields.apiGroup, path.child('apiGroup')),
        resource,
        matchContains: texts(fields.matchContains, path.child('matchContains')),
        matchScopes: document.list(fields.matchScopes, path.child('matchScopes')).map(({ value: scope, path: at }) => {
          const { scopeName, operator, values } = document.fields(scope, at, ['scopeName', 'operator', 'values']);
          return {
            scopeName: document.text(scopeName, at.child('scopeName')),
            operator: document.choice(operator, at.child('operator'), OPERATORS),
            values: texts(values, at.child('values')),
          };
        }),
      };
    });
  document.finish();
  return limited;
}
