import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor, optionalOneOf } from '../field-checks.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type { APIService, APIServiceSpec } from '../types/apiregistration.v1.gen.ts';

const spec = FieldPath.of('spec');
const metadataName = FieldPath.of('metadata', 'name');

export const apiService = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  nameFormat: 'path',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => {
    if (spec?.service) spec.service.port ??= 443;
  },
  // One without a Service is served by this API server itself, from the start.
  prepareForCreate: (object) => {
    if (object.spec?.service) return;
    object.status = {
      conditions: [
        {
          type: 'Available',
          status: 'True',
          reason: 'Local',
          message: 'Local APIServices are always available',
          lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
        },
      ],
    };
  },
  validate: (object) => [...validateName(object), ...validateSpec(object.spec ?? {})],
  subresources: {
    status: {
      prepareForUpdate: keepLabelsAndAnnotations,
      validateUpdate: ({ status }) =>
        (status?.conditions ?? []).flatMap((condition, index) =>
          optionalOneOf(FieldPath.of('status', 'conditions').index(index).child('status'), condition.status ?? '', [
            'True',
            'False',
            'Unknown',
          ]),
        ),
    },
  },
  columns: [
    nameColumn,
    column('Service', ({ spec }) => (spec.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local'), {
      description: 'Service that serves the group version',
    }),
    column('Available', availability, { description: 'Whether it is served' }),
    ageColumn,
  ],
});

function availability({ status }: APIService): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status === 'True' || !condition.reason
    ? condition.status
    : `${condition.status} (${condition.reason})`;
}

function validateName({ metadata, spec }: APIService): FieldError[] {
  const expected = `${spec?.version ?? ''}.${spec?.group ?? ''}`;
  if (isPathSegmentName(metadata.name).length > 0 || metadata.name === expected) return [];
  return [
    invalidValue(metadataName, metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`),
  ];
}

function validateSpec(given: Partial<APIServiceSpec>): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0, service, caBundle } = given;
  const errors: FieldError[] = [];
  if (group === '' && version !== 'v1')
    errors.push(required(spec.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
  if (group !== '') errors.push(...invalidFor(spec.child('group'), group, isDns1123Subdomain(group)));
  errors.push(...invalidFor(spec.child('version'), version, isDns1035Label(version)));
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000)
    errors.push(
      invalidValue(spec.child('groupPriorityMinimum'), groupPriorityMinimum, 'must be positive and less than 20000'),
    );
  if (versionPriority <= 0 || versionPriority > 1000)
    errors.push(invalidValue(spec.child('versionPriority'), versionPriority, 'must be positive and less than 1000'));

  const insecure = spec.child('insecureSkipTLSVerify');
  if (!service) {
    if (caBundle)
      errors.push(
        invalidValue(
          spec.child('caBundle'),
          `${Buffer.from(caBundle, 'base64').length} bytes`,
          'local APIServices may not have a caBundle',
        ),
      );
    if (given.insecureSkipTLSVerify)
      errors.push(invalidValue(insecure, true, 'local APIServices may not have insecureSkipTLSVerify'));
    return errors;
  }
  for (const field of ['namespace', 'name'] as const)
    if (!service[field]) errors.push(required(spec.child('service', field)));
  if (service.port !== undefined && (service.port < 1 || service.port > 65535))
    errors.push(
      invalidValue(
        spec.child('service', 'port'),
        service.port,
        'port is not valid: must be between 1 and 65535, inclusive',
      ),
    );
  if (given.insecureSkipTLSVerify && caBundle)
    errors.push(invalidValue(insecure, true, 'may not be true if caBundle is present'));
  return errors;
}
