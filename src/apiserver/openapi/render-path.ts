import { apiVersionOf } from '../../apimachinery/meta.ts';
import { type ApiOperation, type ApiPath, QUERY } from './operations.ts';
import type { Dialect, JsonObject, SchemaDocument } from './schema-document.ts';

const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const OBJECT_TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  name: 'name of the object',
  namespace: 'object name and auth scope, such as for teams and projects',
  path: 'path to the resource',
};

/** One path item of an OpenAPI document. */
export function renderPath(
  { parameters, operations }: ApiPath,
  document: SchemaDocument,
  dialect: Dialect,
  group: string,
  version: string,
): JsonObject {
  const tag = `${group === '' ? 'core' : group.replace(/\.k8s\.io$/, '').replace(/\W/g, '')}_${version}`;
  const item: JsonObject = {};
  for (const operation of operations)
    item[operation.method] =
      dialect === 'v3' ? operationV3(operation, document, tag) : operationV2(operation, document, tag);
  item.parameters = [
    ...parameters.map((name) => parameter(dialect, name, 'path', 'string', PATH_PARAMETERS[name]!)),
    query(dialect, 'pretty'),
  ];
  return item;
}

function query(dialect: Dialect, name: keyof typeof QUERY): JsonObject {
  const [type, description] = QUERY[name];
  return parameter(dialect, name, 'query', type, description);
}

function parameter(
  dialect: Dialect,
  name: string,
  where: 'path' | 'query',
  type: string,
  description: string,
): JsonObject {
  const common = { name, in: where, description, ...(where === 'path' ? { required: true } : {}) };
  return dialect === 'v3' ? { ...common, schema: { type, uniqueItems: true } } : { ...common, type, uniqueItems: true };
}

function operationV3(operation: ApiOperation, document: SchemaDocument, tag: string): JsonObject {
  const { body, answer, method } = operation;
  const answerSchema = answer ? document.reference(answer) : { type: 'string' };
  const types = answer ? OBJECT_TYPES : ['*/*'];
  const response = (description: string) => ({
    description,
    content: Object.fromEntries(types.map((type) => [type, { schema: answerSchema }])),
  });
  return {
    tags: [tag],
    description: operation.description,
    operationId: operation.id,
    ...(operation.query.length ? { parameters: operation.query.map((name) => query('v3', name)) } : {}),
    ...(body
      ? {
          requestBody: {
            content: Object.fromEntries(
              bodyTypes(operation).map((type) => [type, { schema: document.reference(body) }]),
            ),
            ...(method === 'delete' ? {} : { required: true }),
          },
        }
      : {}),
    responses: responses(method, response),
    ...gvkOf(operation),
  };
}

/** Custom resources, whose schema is a CRD's, have no strategic merge patch: clients go by what is listed here. */
function bodyTypes({ method, answer }: ApiOperation): readonly string[] {
  if (method !== 'patch') return ['*/*'];
  return answer?.constraints ? PATCH_TYPES.filter((type) => type !== STRATEGIC_PATCH) : PATCH_TYPES;
}

function operationV2(operation: ApiOperation, document: SchemaDocument, tag: string): JsonObject {
  const { body, answer, method } = operation;
  const schema = answer ? document.reference(answer) : { type: 'string' };
  const response = (description: string) => ({ description, schema });
  const parameters = [
    ...(body
      ? [
          {
            in: 'body',
            name: 'body',
            ...(method === 'delete' ? {} : { required: true }),
            schema: document.reference(body),
          },
        ]
      : []),
    ...operation.query.map((name) => query('v2', name)),
  ];
  return {
    description: operation.description,
    consumes: bodyTypes(operation),
    produces: answer ? OBJECT_TYPES : ['*/*'],
    schemes: ['https'],
    tags: [tag],
    operationId: operation.id,
    ...(parameters.length ? { parameters } : {}),
    responses: responses(method, response),
    ...gvkOf(operation),
  };
}

function responses(method: ApiOperation['method'], response: (description: string) => JsonObject): JsonObject {
  return {
    '200': response('OK'),
    ...(method === 'get' || method === 'delete' ? {} : { '201': response('Created') }),
    ...(method === 'post' || method === 'delete' ? { '202': response('Accepted') } : {}),
    '401': { description: 'Unauthorized' },
  };
}

const gvkOf = ({ action, gvk }: ApiOperation): JsonObject => ({
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': { group: gvk.group, kind: gvk.kind, version: gvk.version },
});

/** The path that lists the resources of a group and version. */
export function resourcesPath(
  group: string,
  version: string,
  document: SchemaDocument,
  dialect: Dialect,
  list: Parameters<SchemaDocument['reference']>[0],
): readonly [string, JsonObject] {
  const path = group === '' ? `/api/${version}/` : `/apis/${group}/${version}/`;
  const schema = document.reference(list);
  const common = {
    description: 'get available resources',
    operationId: `get${apiVersionOf(group, version).replace(/\W/g, '')}APIResources`,
  };
  const ok =
    dialect === 'v3'
      ? { description: 'OK', content: { 'application/json': { schema } } }
      : { description: 'OK', schema };
  return [
    path,
    {
      get: {
        ...common,
        ...(dialect === 'v2'
          ? { consumes: ['application/json'], produces: ['application/json'], schemes: ['https'] }
          : {}),
        responses: { '200': ok, '401': { description: 'Unauthorized' } },
      },
    },
  ];
}
