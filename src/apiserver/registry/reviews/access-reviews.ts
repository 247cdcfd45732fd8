import type { KindDefinition } from '../../../api/kind.ts';
import type {
  NonResourceAttributes,
  ResourceAttributes,
  SubjectAccessReviewSpec,
} from '../../../api/types/authorization.v1.gen.ts';
import { escapeFieldValue } from '../../../apimachinery/fields.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { badRequest, invalid, methodNotAllowed } from '../../../apimachinery/status-error.ts';
import type { AuthorizationAttributes } from '../../../sdk/authorization.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import type { RequestContext } from '../../request/request-context.ts';
import { objectResult, type Result } from '../../request/result.ts';
import { parseWriteOptions } from '../../request/write-options.ts';
import { Admission } from '../admit.ts';
import { placeInNamespace } from '../object-metadata.ts';
import { readObject } from '../read-object.ts';
import type { RegistryServices } from '../registry-services.ts';
import type { RulesReviewer } from './review-services.ts';

/** Reads a review, admits and validates it; what it asks is in the spec. */
export async function readReview(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Draft<UnstructuredObject> & { spec?: unknown; status?: unknown }> {
  if (context.info.verb !== 'create') throw methodNotAllowed();
  const options = parseWriteOptions(context, 'CreateOptions');
  const object = await readObject(context, definition, options.fieldValidation);
  placeInNamespace(object, definition, context.info.namespace);
  const admission = new Admission(services, context, {
    operation: 'CREATE',
    definition,
    namespace: context.info.namespace,
    name: object.metadata.name ?? '',
    dryRun: options.dryRun,
    options: options.given,
  });
  await admission.mutate(object);
  const errors = definition.validate?.(object) ?? [];
  if (errors.length) throw invalid(definition, '', errors);
  await admission.validate(object);
  return object;
}

/** SubjectAccessReview, LocalSubjectAccessReview and SelfSubjectAccessReview. */
export async function reviewAccess(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const review = await readReview(services, context, definition);
  const spec = (review.spec ?? {}) as SubjectAccessReviewSpec;
  const user = definition.kind === 'SelfSubjectAccessReview' ? context.user : userOf(spec);
  const { decision, reason } = await services.authorization.authorize(attributesOf(user, spec));
  review.status = {
    allowed: decision === 'allow',
    ...(decision === 'deny' ? { denied: true } : {}),
    ...(reason ? { reason } : {}),
  };
  return objectResult(review, 201);
}

/** SelfSubjectRulesReview: what the user may do in a namespace, as far as it can be listed. */
export async function reviewRules(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  reviewer: Partial<RulesReviewer>,
): Promise<Result> {
  const review = await readReview(services, context, definition);
  const { namespace } = (review.spec ?? {}) as { namespace?: string };
  if (!namespace) throw badRequest('no namespace on request');
  const rules = reviewer.rulesFor?.(context.user, namespace);
  review.status = {
    resourceRules: rules?.resource ?? [],
    nonResourceRules: rules?.nonResource ?? [],
    incomplete: rules ? (rules.incomplete ?? false) : true,
    ...(rules?.evaluationError ? { evaluationError: rules.evaluationError } : {}),
  };
  return objectResult(review, 201);
}

function userOf(spec: SubjectAccessReviewSpec): UserInfo {
  const { user = '', uid, groups = [], extra } = spec;
  return { name: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
}

function attributesOf(
  user: UserInfo,
  spec: { resourceAttributes?: ResourceAttributes; nonResourceAttributes?: NonResourceAttributes },
): AuthorizationAttributes {
  const {
    verb = '',
    group = '',
    version = '',
    resource = '',
    subresource = '',
    namespace = '',
    name = '',
  } = spec.resourceAttributes ?? {};
  if (spec.resourceAttributes) {
    const { fieldSelector, labelSelector } = spec.resourceAttributes;
    const fields = fieldSelector?.rawSelector || selectorText(fieldSelector?.requirements, FIELD_TERMS);
    const labels = labelSelector?.rawSelector || selectorText(labelSelector?.requirements, LABEL_TERMS);
    return {
      user,
      verb,
      resourceRequest: true,
      group,
      version: version || '*',
      resource,
      subresource,
      namespace,
      name,
      path: '',
      ...(fields ? { fieldSelector: fields } : {}),
      ...(labels ? { labelSelector: labels } : {}),
    };
  }
  const { path = '', verb: method = '' } = spec.nonResourceAttributes ?? {};
  const none = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
  return { user, verb: method, resourceRequest: false, ...none, path };
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
type Terms = Readonly<Record<string, (key: string, values: readonly string[]) => string | undefined>>;

const FIELD_TERMS: Terms = {
  In: (key, [value, ...more]) => (value === undefined || more.length ? undefined : `${key}=${escapeFieldValue(value)}`),
  NotIn: (key, [value, ...more]) =>
    value === undefined || more.length ? undefined : `${key}!=${escapeFieldValue(value)}`,
};
const LABEL_TERMS: Terms = {
  In: (key, values) => `${key} in (${values.join(',')})`,
  NotIn: (key, values) => `${key} notin (${values.join(',')})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

/** The selector of a request that these stand for. What can't be said in one is left out: it only narrows. */
function selectorText(requirements: readonly Requirement[] | undefined, terms: Terms): string {
  return (requirements ?? [])
    .map(({ key, operator, values = [] }) => terms[operator]?.(key, values))
    .filter((term) => term !== undefined)
    .join(',');
}
