import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { internalForm } from '../core/internal-form.ts';
import { defineKind } from '../define.ts';
import { invalidFor, semanticEqual } from '../field-checks.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type {
  FlowSchema,
  FlowSchemaSpec,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../types/flowcontrol.v1.gen.ts';
import { mandatoryFlowSchemas } from './mandatory-objects.ts';
import { validateStatusConditions } from './status-conditions.ts';

const spec = FieldPath.of('spec');
const maxPrecedence = 10_000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

export const flowSchema = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  generation: 'spec',
  default: ({ spec }) => {
    if (spec) spec.matchingPrecedence ||= 1000;
  },
  validate: ({ metadata, spec: given = {} }) => [
    ...validateSpec(metadata.name, given),
    ...(semanticEqual(given, mandatoryFlowSchemas.get(metadata.name) ?? given)
      ? []
      : [
          invalidValue(
            spec,
            internalForm('FlowSchemaSpec', given),
            `spec of '${metadata.name}' must equal the fixed value`,
          ),
        ]),
  ],
  subresources: {
    status: {
      prepareForUpdate: keepLabelsAndAnnotations,
      validateUpdate: ({ status }) => validateStatusConditions(status?.conditions),
    },
  },
  columns: [
    nameColumn,
    column('PriorityLevel', ({ spec }) => spec.priorityLevelConfiguration?.name ?? '', {
      description: 'Priority level of the requests that match',
    }),
    column('MatchingPrecedence', ({ spec }) => spec.matchingPrecedence ?? 0, {
      description: 'Among matching schemas, the lowest wins',
    }),
    column('DistinguisherMethod', ({ spec }) => spec.distinguisherMethod?.type ?? '<none>', {
      description: 'What tells flows apart',
    }),
    ageColumn,
    column('MissingPL', ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?', {
      description: 'Whether its priority level does not exist',
    }),
  ],
});

function validateSpec(name: string, schema: Partial<FlowSchemaSpec>): FieldError[] {
  const { matchingPrecedence: precedence = 0, distinguisherMethod, priorityLevelConfiguration, rules = [] } = schema;
  const path = spec.child('matchingPrecedence');
  const errors: FieldError[] = [];
  if (precedence <= 0) errors.push(invalidValue(path, precedence, 'must be a positive value'));
  if (precedence > maxPrecedence)
    errors.push(invalidValue(path, precedence, `must not be greater than ${maxPrecedence}`));
  if (precedence === 1 && name !== 'exempt')
    errors.push(invalidValue(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  if (distinguisherMethod && !['ByNamespace', 'ByUser'].includes(distinguisherMethod.type))
    errors.push(
      notSupported(spec.child('distinguisherMethod', 'type'), { Type: distinguisherMethod.type }, [
        'ByNamespace',
        'ByUser',
      ]),
    );
  const level = priorityLevelConfiguration?.name;
  const levelPath = spec.child('priorityLevelConfiguration', 'name');
  if (level) errors.push(...invalidFor(levelPath, level, isDns1123Subdomain(level)));
  else errors.push(required(levelPath, 'must reference a priority level'));
  return [...errors, ...rules.flatMap((rule, index) => validateRules(spec.child('rules').index(index), rule))];
}

function validateRules(path: FieldPath, rule: PolicyRulesWithSubjects): FieldError[] {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  const errors = subjects.flatMap((subject, index) => validateSubject(path.child('subjects').index(index), subject));
  if (subjects.length === 0) errors.push(required(path.child('subjects'), 'subjects must contain at least one value'));
  if (resourceRules.length === 0 && nonResourceRules.length === 0)
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  return [
    ...errors,
    ...resourceRules.flatMap((given, index) => validateResourceRule(path.child('resourceRules').index(index), given)),
    ...nonResourceRules.flatMap((given, index) => validateUrlRule(path.child('nonResourceRules').index(index), given)),
  ];
}

const subjectFields = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;

function validateSubject(path: FieldPath, subject: Subject): FieldError[] {
  const kinds = Object.keys(subjectFields);
  if (!kinds.includes(subject.kind))
    return [notSupported(path.child('kind'), subject.kind, ['Group', 'ServiceAccount', 'User'])];
  const own = subjectFields[subject.kind as keyof typeof subjectFields];
  return [
    ...validateNamedSubject(path.child(own), subject, own),
    ...Object.entries(subjectFields).flatMap(([kind, field]) =>
      field !== own && subject[field]
        ? [forbiddenField(path.child(field), `${field} is forbidden when subject kind is not '${kind}'`)]
        : [],
    ),
  ];
}

function validateNamedSubject(
  path: FieldPath,
  subject: Subject,
  field: 'serviceAccount' | 'user' | 'group',
): FieldError[] {
  const given = subject[field];
  if (!given) return [required(path, `${field} is required when subject kind is '${subject.kind}'`)];
  const errors = given.name ? [] : [required(path.child('name'))];
  if (field !== 'serviceAccount' || !subject.serviceAccount) return errors;
  const { name, namespace } = subject.serviceAccount;
  if (name && name !== '*') errors.push(...invalidFor(path.child('name'), name, isDns1123Subdomain(name)));
  if (namespace) errors.push(...invalidFor(path.child('namespace'), namespace, isDns1123Label(namespace)));
  else errors.push(required(path.child('namespace'), 'must specify namespace for service account'));
  return errors;
}

const alone = (path: FieldPath, values: readonly string[], what: string) =>
  values.length > 1 && values.includes('*')
    ? [invalidValue(path, values, `if '*' is present, must not specify other ${what}`)]
    : [];

function validateVerbs(path: FieldPath, given: readonly string[] = []): FieldError[] {
  if (given.length === 0) return [required(path, 'verbs must contain at least one value')];
  if (given.includes('*')) return alone(path, given, 'verbs');
  return given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)];
}

function validateResourceRule(path: FieldPath, rule: ResourcePolicyRule): FieldError[] {
  const { apiGroups = [], resources = [], namespaces = [], clusterScope } = rule;
  const errors = validateVerbs(path.child('verbs'), rule.verbs);
  if (apiGroups.length === 0)
    errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  errors.push(...alone(path.child('apiGroups'), apiGroups, 'api groups'));
  if (resources.length === 0)
    errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  errors.push(...alone(path.child('resources'), resources, 'resources'));
  const at = path.child('namespaces');
  if (namespaces.length === 0 && !clusterScope)
    errors.push(required(at, 'resource rules that are not cluster scoped must supply at least one namespace'));
  if (namespaces.includes('*')) return [...errors, ...alone(at, namespaces, 'namespaces')];
  namespaces.forEach((namespace, index) => {
    for (const message of isDns1123Label(namespace))
      errors.push(
        invalidValue(
          at.index(index),
          namespace,
          `each member of this list must be '*' or a DNS-1123 label; ${message}`,
        ),
      );
  });
  return errors;
}

function validateUrlRule(path: FieldPath, { verbs: given, nonResourceURLs = [] }: NonResourcePolicyRule): FieldError[] {
  const errors = validateVerbs(path.child('verbs'), given);
  const at = path.child('nonResourceURLs');
  if (nonResourceURLs.length === 0) return [...errors, required(at, 'nonResourceURLs must contain at least one value')];
  if (nonResourceURLs.includes('*')) return [...errors, ...alone(at, nonResourceURLs, 'non-resource URLs')];
  nonResourceURLs.forEach((url, index) => {
    const problem = urlProblem(url);
    if (problem) errors.push(invalidValue(at.index(index), url, problem));
  });
  return errors;
}

function urlProblem(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const wildcards = url.split('*').length - 1;
  return wildcards > 1 || (wildcards === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}
