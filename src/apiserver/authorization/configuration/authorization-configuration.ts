import { type Stats, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { duplicate, FieldPath, invalidValue, notSupported, required, tooMany } from '../../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';
import { CompileError } from '../../cel/compile-error.ts';
import { type Expression, ExpressionCompiler } from '../../cel/expression.ts';

export type AuthorizerConfiguration =
  | { readonly type: BuiltInType; readonly name: string }
  | { readonly type: 'Webhook'; readonly name: string; readonly webhook: WebhookConfiguration };

export type BuiltInType = 'AlwaysAllow' | 'AlwaysDeny' | 'Node' | 'RBAC';

export interface WebhookConfiguration {
  readonly timeoutMs: number;
  readonly authorizedTTLMs: number;
  readonly unauthorizedTTLMs: number;
  readonly version: 'v1' | 'v1beta1';
  readonly failurePolicy: 'NoOpinion' | 'Deny';
  /** Absent: the cluster that this process runs in. */
  readonly kubeConfigFile?: string;
  /** All must hold for the webhook to be asked. */
  readonly matchConditions: readonly Expression[];
}

const TYPES = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'] as const;
const WEBHOOK_FIELDS = [
  'timeout',
  'authorizedTTL',
  'unauthorizedTTL',
  'cacheAuthorizedRequests',
  'cacheUnauthorizedRequests',
  'subjectAccessReviewVersion',
  'matchConditionSubjectAccessReviewVersion',
  'failurePolicy',
  'connectionInfo',
  'matchConditions',
];
const REQUEST_FIELDS = ['user', 'groups', 'uid', 'extra', 'resourceAttributes', 'nonResourceAttributes'];
const MAX_CONDITIONS = 64;
const MAX_TIMEOUT_MS = 30_000;

/** `given` is the parsed file. The authorizers in the order in which they are asked. Throws ConfigurationFault. */
export function readAuthorizationConfiguration(given: unknown): readonly AuthorizerConfiguration[] {
  const document = new ConfigurationDocument(
    given,
    'AuthorizationConfiguration',
    ['v1', 'v1beta1', 'v1alpha1'],
    ['authorizers'],
  );
  const path = FieldPath.of('authorizers');
  const items = document.list(document.root.authorizers, path);
  if (items.length === 0) document.errors.push(required(path, 'at least one authorization mode must be defined'));
  const types = new Set<string>();
  const names = new Set<string>();
  const authorizers = items.flatMap((item): AuthorizerConfiguration[] => {
    const fields = document.fields(item.value, item.path, ['type', 'name', 'webhook']);
    const at = (name: string) => item.path.child(name);
    const type = document.text(fields.type, at('type')) as (typeof TYPES)[number] | '';
    if (type === '') document.errors.push(required(at('type')));
    else if (!TYPES.includes(type)) document.errors.push(notSupported(at('type'), type, TYPES));
    else if (types.has(type) && type !== 'Webhook') document.errors.push(duplicate(at('type'), type));
    else {
      types.add(type);
      const name = document.text(fields.name, at('name'));
      readName(document, name, at('name'), names);
      if (type === 'Webhook') {
        if (fields.webhook === undefined || fields.webhook === null)
          document.errors.push(required(at('webhook'), 'required when type=Webhook'));
        else return [{ type, name, webhook: readWebhook(document, fields.webhook, item.path) }];
      } else {
        if (fields.webhook !== undefined && fields.webhook !== null)
          document.errors.push(invalidValue(at('webhook'), 'non-null', 'may only be specified when type=Webhook'));
        return [{ type, name }];
      }
    }
    return [];
  });
  document.finish();
  return authorizers;
}

function readName(document: ConfigurationDocument, name: string, path: FieldPath, names: Set<string>): void {
  if (name === '') document.errors.push(required(path));
  else if (document.unique(names, name, path)) {
    const why = isDns1123Subdomain(name);
    if (why.length) document.errors.push(invalidValue(path, name, `authorizer name is invalid: ${why.join(', ')}`));
  }
}

/** Faults name the fields without `webhook`, as upstream's do. */
function readWebhook(document: ConfigurationDocument, given: unknown, path: FieldPath): WebhookConfiguration {
  const fields = document.fields(given, path.child('webhook'), WEBHOOK_FIELDS);
  const at = (name: string) => path.child(name);
  const timeoutMs = document.duration(fields.timeout, at('timeout'));
  if (timeoutMs === 0) document.errors.push(required(at('timeout')));
  else if (timeoutMs < 0 || timeoutMs > MAX_TIMEOUT_MS)
    document.errors.push(invalidValue(at('timeout'), fields.timeout, 'must be > 0s and <= 30s'));
  const conditionVersion = document.text(
    fields.matchConditionSubjectAccessReviewVersion,
    at('matchConditionSubjectAccessReviewVersion'),
  );
  const conditions = document.list(fields.matchConditions, at('matchConditions'));
  if (conditionVersion === '' && conditions.length)
    document.errors.push(
      required(at('matchConditionSubjectAccessReviewVersion'), 'required if match conditions are specified'),
    );
  if (conditionVersion !== '' && conditionVersion !== 'v1')
    document.errors.push(notSupported(at('matchConditionSubjectAccessReviewVersion'), conditionVersion, ['v1']));
  const kubeConfigFile = readConnection(document, fields.connectionInfo, at('connectionInfo'));
  return {
    timeoutMs,
    authorizedTTLMs: readTTL(document, fields, 'authorizedTTL', 'cacheAuthorizedRequests', path, 5 * 60_000),
    unauthorizedTTLMs: readTTL(document, fields, 'unauthorizedTTL', 'cacheUnauthorizedRequests', path, 30_000),
    version: document.choice(fields.subjectAccessReviewVersion, at('subjectAccessReviewVersion'), ['v1', 'v1beta1']),
    failurePolicy: document.choice(fields.failurePolicy, at('failurePolicy'), ['NoOpinion', 'Deny']),
    matchConditions: readConditions(document, conditions, at('matchConditions')),
    ...(kubeConfigFile === undefined ? {} : { kubeConfigFile }),
  };
}

/** 0 when answers are not to be kept. */
function readTTL(
  document: ConfigurationDocument,
  fields: Readonly<Record<string, unknown>>,
  name: string,
  cacheName: string,
  parent: FieldPath,
  fallback: number,
): number {
  const path = parent.child(name);
  const ttl = document.duration(fields[name], path) || fallback;
  if (ttl < 0) document.errors.push(invalidValue(path, fields[name], 'must be > 0s'));
  const cache = fields[cacheName] ?? true;
  return document.flag(cache, parent.child(cacheName)) ? ttl : 0;
}

function readConnection(document: ConfigurationDocument, given: unknown, path: FieldPath): string | undefined {
  const fields = document.fields(given, path, ['type', 'kubeConfigFile']);
  const type = document.choice(fields.type, path.child('type'), ['InClusterConfig', 'KubeConfigFile']);
  const at = path.child('kubeConfigFile');
  const file = document.optionalText(fields.kubeConfigFile, at);
  if (type === 'InClusterConfig') {
    if (file !== undefined) document.errors.push(invalidValue(at, file, 'can only be set when type=KubeConfigFile'));
    return undefined;
  }
  if (!file) document.errors.push(required(at));
  else if (!isAbsolute(file)) document.errors.push(invalidValue(at, file, 'must be an absolute path'));
  else {
    let stats: Stats | undefined;
    try {
      stats = statSync(file);
    } catch (error) {
      document.errors.push(invalidValue(at, file, `error loading file: ${(error as Error).message}`));
    }
    if (stats && !stats.isFile()) document.errors.push(invalidValue(at, file, 'must be a regular file'));
  }
  return file;
}

function readConditions(
  document: ConfigurationDocument,
  items: ReturnType<ConfigurationDocument['list']>,
  path: FieldPath,
): readonly Expression[] {
  if (items.length === 0) return [];
  if (items.length > MAX_CONDITIONS) {
    document.errors.push(tooMany(path, items.length, MAX_CONDITIONS));
    return [];
  }
  const compiler = new ExpressionCompiler(['request']);
  const seen = new Set<string>();
  return items.flatMap((item) => {
    const at = item.path.child('expression');
    const source = document.text(document.fields(item.value, item.path, ['expression']).expression, at);
    if (source.trim() === '') document.errors.push(required(at));
    else if (document.unique(seen, source, at)) {
      try {
        const expression = compiler.compile(source);
        checkFields(source);
        if (expression.type === 'bool' || expression.type === 'dyn') return [expression];
        document.errors.push(invalidValue(at, source, 'must evaluate to bool'));
      } catch (error) {
        document.errors.push(invalidValue(at, source, `compilation failed: ${(error as Error).message}`));
      }
    }
    return [];
  });
}

/** A field that no review has is a mistake that would show at a request only. */
function checkFields(source: string): void {
  const code = source.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, (text) => ' '.repeat(text.length));
  for (const match of code.matchAll(/(?<![\w.])request\s*\.\s*([A-Za-z_]\w*)/g))
    if (!REQUEST_FIELDS.includes(match[1]!))
      throw new CompileError(`undefined field '${match[1]}'`, source, match.index + 'request'.length);
}
