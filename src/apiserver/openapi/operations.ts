import { answersDeletedObject } from '../../api/deleted-object.ts';
import type { KindDefinition, SubresourceDefinition } from '../../api/kind.ts';
import { schemaOf, schemaOfKind } from '../../api/schema.ts';
import type { GroupVersionKind, Verb } from '../../apimachinery/meta.ts';
import type { Schema } from '../../apimachinery/schema.ts';
import { kindSchema, listSchema } from './kind-schemas.ts';

/** One HTTP method on one path, before it is rendered for a version of OpenAPI. */
export interface ApiOperation {
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  readonly id: string;
  readonly description: string;
  readonly action: string;
  readonly gvk: GroupVersionKind;
  readonly query: readonly (keyof typeof QUERY)[];
  readonly body?: Schema;
  /** Text when absent. */
  readonly answer?: Schema;
}

export interface ApiPath {
  readonly path: string;
  /** Of the path: `name`, `namespace`, `path`. */
  readonly parameters: readonly string[];
  readonly operations: readonly ApiOperation[];
}

/** Query parameters: type and what they are for. */
export const QUERY = {
  allowWatchBookmarks: ['boolean', 'Ask for BOOKMARK events in a watch.'],
  command: ['string', 'What to run, with its arguments.'],
  container: ['string', 'The container; may be left out when the pod has but one.'],
  continue: ['string', 'The token of the page before, for the next one.'],
  dryRun: ['string', 'With "All", everything is done but for the change itself.'],
  fieldManager: ['string', 'Who makes the change, as managedFields will say.'],
  fieldSelector: ['string', 'Restricts the list by fields of its objects.'],
  fieldValidation: ['string', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.'],
  follow: ['boolean', 'Go on with the log as it grows.'],
  force: ['boolean', 'Take over fields that others own in server-side apply.'],
  gracePeriodSeconds: ['integer', 'How long the object has to end by itself; 0 is at once.'],
  insecureSkipTLSVerifyBackend: ['boolean', "Do not check the kubelet's certificate."],
  labelSelector: ['string', 'Restricts the list by labels of its objects.'],
  limit: ['integer', 'The most objects that one answer may have.'],
  limitBytes: ['integer', 'The most bytes of the log to return.'],
  orphanDependents: ['boolean', 'Leave what depends on the object. Use propagationPolicy instead.'],
  path: ['string', 'The path to ask for.'],
  ports: ['integer', 'Ports to forward, for WebSocket.'],
  pretty: ['string', 'With "true" the answer is indented.'],
  previous: ['boolean', 'The log of the container before the present one.'],
  propagationPolicy: ['string', 'What happens to what depends on the object: Orphan, Background or Foreground.'],
  resourceVersion: ['string', 'The version to read at or to watch from.'],
  resourceVersionMatch: ['string', 'How resourceVersion is meant: Exact or NotOlderThan.'],
  sendInitialEvents: ['boolean', 'Begin a watch with all objects that there are.'],
  sinceSeconds: ['integer', 'Only what was logged in the last seconds.'],
  stderr: ['boolean', 'Connect standard error.'],
  stdin: ['boolean', 'Connect standard input.'],
  stdout: ['boolean', 'Connect standard output.'],
  stream: ['string', 'Which stream of the log: All, Stdout or Stderr.'],
  tailLines: ['integer', 'Only as many lines, from the end.'],
  timeoutSeconds: ['integer', 'How long the list or watch may take.'],
  timestamps: ['boolean', 'Put the time before each line.'],
  tty: ['boolean', 'Use a terminal.'],
  watch: ['boolean', 'Tell of changes instead of listing.'],
} as const;

const LIST = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
  'watch',
] as const;
const WRITE = ['dryRun', 'fieldManager', 'fieldValidation'] as const;
const DELETE = ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'] as const;
const STREAMS = ['container', 'stderr', 'stdin', 'stdout', 'tty'] as const;
const CONNECT_QUERY: Readonly<Record<string, ApiOperation['query']>> = {
  attach: STREAMS,
  exec: ['command', ...STREAMS],
  log: [
    'container',
    'follow',
    'insecureSkipTLSVerifyBackend',
    'limitBytes',
    'previous',
    'sinceSeconds',
    'stream',
    'tailLines',
    'timestamps',
  ],
  portforward: ['ports'],
  proxy: ['path'],
};
const METHODS: Readonly<Record<string, ApiOperation['method']>> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
};
const TITLES: Readonly<Record<string, string>> = {
  get: 'read',
  post: 'create',
  put: 'replace',
  patch: 'partially update',
  delete: 'delete',
};

/** All paths of a kind. */
export function pathsOf(definition: KindDefinition): ApiPath[] {
  const { group, version, kind, resource, namespaced, verbs, subresources } = definition;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${resource}` : `${root}/${resource}`;
  const scope = namespaced ? ['namespace'] : [];
  const gvk = { group, version, kind };
  const schema = kindSchema(definition);
  const name =
    camel(`${group === '' ? 'core' : group.split('.', 1)[0]} ${version}`) + (namespaced ? 'Namespaced' : '') + kind;
  const list = (): ApiOperation => ({
    method: 'get',
    id: `list${name}`,
    description: `list or watch objects of kind ${kind}`,
    action: 'list',
    gvk,
    query: LIST,
    answer: listSchema(definition),
  });
  const has = (verb: Verb) => verbs.includes(verb);
  const operations = {
    collection: [
      ...(has('list') ? [list()] : []),
      ...(has('create')
        ? [
            {
              method: 'post',
              id: `create${name}`,
              description: `create a ${kind}`,
              action: 'post',
              gvk,
              query: WRITE,
              body: schema,
              answer: schema,
            } as const,
          ]
        : []),
      ...(has('deletecollection')
        ? [
            {
              method: 'delete',
              id: `deleteCollection${name}`,
              description: `delete collection of ${kind}`,
              action: 'deletecollection',
              gvk,
              query: [
                ...DELETE,
                ...LIST.filter((parameter) => parameter !== 'watch' && parameter !== 'allowWatchBookmarks'),
              ],
              body: schemaOf('meta.v1.DeleteOptions'),
              answer: schemaOf('meta.v1.Status'),
            } as const,
          ]
        : []),
    ],
    item: (['get', 'update', 'patch', 'delete'] as const).filter(has).map((verb) => {
      const operation = objectOperation(verb, name, kind, gvk, schema);
      return verb === 'delete' && answersDeletedObject(definition) ? { ...operation, answer: schema } : operation;
    }),
  };
  const paths: ApiPath[] = [];
  if (namespaced && has('list'))
    paths.push({
      path: `${root}/${resource}`,
      parameters: [],
      operations: [{ ...list(), id: `list${name.replace('Namespaced', '')}ForAllNamespaces` }],
    });
  if (operations.collection.length)
    paths.push({ path: collection, parameters: scope, operations: operations.collection });
  const item = `${collection}/{name}`;
  if (operations.item.length) paths.push({ path: item, parameters: ['name', ...scope], operations: operations.item });
  if (subresources.status)
    paths.push({
      path: `${item}/status`,
      parameters: ['name', ...scope],
      operations: (['get', 'update', 'patch'] as const).map((verb) =>
        objectOperation(verb, `${name}Status`, kind, gvk, schema),
      ),
    });
  if (subresources.scale) {
    const scale = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
    paths.push({
      path: `${item}/scale`,
      parameters: ['name', ...scope],
      operations: (['get', 'update', 'patch'] as const).map((verb) =>
        objectOperation(verb, `${name}Scale`, 'Scale', scale, schemaOf('autoscaling.v1.Scale')),
      ),
    });
  }
  for (const other of subresources.others ?? [])
    paths.push(...subresourcePaths(definition, other, item, ['name', ...scope], name));
  return paths;
}

function objectOperation(
  verb: 'get' | 'update' | 'patch' | 'delete' | 'create',
  name: string,
  kind: string,
  gvk: GroupVersionKind,
  schema: Schema,
): ApiOperation {
  const method = METHODS[verb]!;
  const title = TITLES[method]!;
  const common = {
    method,
    id: `${{ get: 'read', post: 'create', put: 'replace', patch: 'patch', delete: 'delete' }[method]}${name}`,
    description: `${title} the specified ${kind}`,
    action: method,
    gvk,
  };
  switch (verb) {
    case 'get':
      return { ...common, query: [], answer: schema };
    case 'patch':
      return { ...common, query: [...WRITE, 'force'], body: schemaOf('meta.v1.Patch'), answer: schema };
    case 'delete':
      return { ...common, query: DELETE, body: schemaOf('meta.v1.DeleteOptions'), answer: schemaOf('meta.v1.Status') };
    default:
      return { ...common, query: WRITE, body: schema, answer: schema };
  }
}

function subresourcePaths(
  definition: KindDefinition,
  other: SubresourceDefinition,
  item: string,
  parameters: readonly string[],
  name: string,
): ApiPath[] {
  const gvk = {
    group: other.group ?? definition.group,
    version: other.version ?? definition.version,
    kind: other.kind,
  };
  const id = name + other.name.slice(0, 1).toUpperCase() + other.name.slice(1);
  const connects = CONNECT_QUERY[other.name];
  const schema =
    other.kind === definition.kind ? kindSchema(definition) : schemaOfKind(gvk.group, gvk.version, gvk.kind);
  const verbs = other.verbs.filter(
    (verb): verb is 'get' | 'create' | 'update' | 'patch' | 'delete' => METHODS[verb] !== undefined,
  );
  const operations = verbs.map((verb): ApiOperation => {
    if (!connects && schema) return objectOperation(verb, id, other.kind, gvk, schema);
    const method = METHODS[verb]!;
    return {
      method,
      id: `connect${method}${id}`,
      description: `connect to ${other.name} of ${definition.kind}`,
      action: 'connect',
      gvk,
      query: connects ?? [],
    };
  });
  const paths: ApiPath[] = [{ path: `${item}/${other.name}`, parameters, operations }];
  if (other.name === 'proxy')
    paths.push({
      path: `${item}/proxy/{path}`,
      parameters: [...parameters, 'path'],
      operations: operations.map((operation) => ({ ...operation, id: `${operation.id}WithPath` })),
    });
  return paths;
}

const camel = (text: string) => text.replace(/(?:^|\s)(\w)/g, (_all, letter: string) => letter.toUpperCase());
