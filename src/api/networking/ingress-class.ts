import { type FieldError, FieldPath, forbiddenField, required, tooLong } from '../../apimachinery/field.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { validateDomainPrefixedPath } from '../domain-names.ts';
import { immutable, invalidFor, optionalOneOf } from '../field-checks.ts';
import type { IngressClass, IngressClassParametersReference } from '../types/networking.v1.gen.ts';
import { validateTypedReference } from './typed-reference.ts';

const spec = FieldPath.of('spec');
const controller = spec.child('controller');
const maxControllerLength = 250;

export const ingressClass = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  generation: 'spec',
  default: ({ spec }) => {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  validate: (object) => {
    const { controller: name = '', parameters } = object.spec ?? {};
    return [
      ...(name.length > maxControllerLength ? [tooLong(controller, maxControllerLength)] : []),
      ...validateDomainPrefixedPath(controller, name),
      ...(parameters ? validateParameters(parameters) : []),
    ];
  },
  validateUpdate: (object, old) => immutable(controller, object.spec?.controller, old.spec?.controller),
  columns: [
    nameColumn,
    column('Controller', ({ spec }) => spec?.controller ?? '', { description: 'Controller that handles the class' }),
    column('Parameters', ({ spec }) => parametersText(spec?.parameters), {
      description: 'Object with further parameters',
    }),
    ageColumn,
  ],
});

function parametersText(parameters: IngressClassParametersReference | undefined): string {
  if (!parameters) return '<none>';
  const { apiGroup, kind, name } = parameters;
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`;
}

function validateParameters(parameters: IngressClassParametersReference): FieldError[] {
  const path = spec.child('parameters');
  const errors = validateTypedReference(path, parameters);
  const { scope, namespace } = parameters;
  if (scope === undefined) return [...errors, required(path.child('scope'))];
  errors.push(...optionalOneOf(path.child('scope'), scope, ['Cluster', 'Namespace']));
  if (scope === 'Namespace')
    errors.push(
      ...(namespace === undefined
        ? [required(path.child('namespace'), "`parameters.scope` is set to 'Namespace'")]
        : invalidFor(path.child('namespace'), namespace, isDns1123Label(namespace))),
    );
  if (scope === 'Cluster' && namespace !== undefined)
    errors.push(forbiddenField(path.child('namespace'), "`parameters.scope` is set to 'Cluster'"));
  return errors;
}
