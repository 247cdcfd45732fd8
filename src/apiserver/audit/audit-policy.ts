import { type AuditLevel, type AuditStage, LEVELS, STAGES } from './audit-event.ts';

/** A `Policy` of `audit.k8s.io/v1`, checked. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly namespaces: readonly string[];
  readonly nonResourceURLs: readonly string[];
  readonly omitStages: readonly AuditStage[];
  /** The policy's when absent. */
  readonly omitManagedFields: boolean | undefined;
}

export interface GroupResources {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** `document` is the parsed file. Throws an Error that names the field and what is wrong with it. */
export function readAuditPolicy(document: unknown): AuditPolicy {
  const root = fieldsOf(document, 'Policy', [
    'apiVersion',
    'kind',
    'metadata',
    'rules',
    'omitStages',
    'omitManagedFields',
  ]);
  if (root.apiVersion !== 'audit.k8s.io/v1')
    throw fault('apiVersion', `expected audit.k8s.io/v1, got ${JSON.stringify(root.apiVersion)}`);
  if (root.kind !== 'Policy') throw fault('kind', `expected Policy, got ${JSON.stringify(root.kind)}`);
  const rules = listOf(root.rules, 'rules');
  if (rules.length === 0) throw fault('rules', 'a policy needs at least one rule');
  return {
    rules: rules.map((rule, index) => readRule(rule, `rules[${index}]`)),
    omitStages: stagesOf(root.omitStages, 'omitStages'),
    omitManagedFields: booleanOf(root.omitManagedFields, 'omitManagedFields') ?? false,
  };
}

function readRule(given: unknown, at: string): AuditRule {
  const rule = fieldsOf(given, at, [
    'level',
    'users',
    'userGroups',
    'verbs',
    'resources',
    'namespaces',
    'nonResourceURLs',
    'omitStages',
    'omitManagedFields',
  ]);
  if (rule.level === undefined || rule.level === '') throw fault(`${at}.level`, 'Required value');
  const level = oneOf(rule.level, LEVELS, `${at}.level`);
  const resources = listOf(rule.resources, `${at}.resources`).map((one, index) =>
    readResources(one, `${at}.resources[${index}]`),
  );
  const namespaces = stringsOf(rule.namespaces, `${at}.namespaces`);
  const nonResourceURLs = stringsOf(rule.nonResourceURLs, `${at}.nonResourceURLs`);
  if (nonResourceURLs.length && (resources.length || namespaces.length))
    throw fault(`${at}.nonResourceURLs`, 'rules cannot apply to both regular resources and non-resource URLs');
  nonResourceURLs.forEach((url, index) => {
    const field = `${at}.nonResourceURLs[${index}]`;
    if (url === '*') return;
    if (!url.startsWith('/'))
      throw fault(field, `${JSON.stringify(url)}: non-resource URL rules must begin with a '/' character`);
    if (url.slice(0, -1).includes('*'))
      throw fault(
        field,
        `${JSON.stringify(url)}: non-resource URL wildcards '*' must be the final character of the rule`,
      );
  });
  return {
    level,
    users: stringsOf(rule.users, `${at}.users`),
    userGroups: stringsOf(rule.userGroups, `${at}.userGroups`),
    verbs: stringsOf(rule.verbs, `${at}.verbs`),
    resources,
    namespaces,
    nonResourceURLs,
    omitStages: stagesOf(rule.omitStages, `${at}.omitStages`),
    omitManagedFields: booleanOf(rule.omitManagedFields, `${at}.omitManagedFields`),
  };
}

function readResources(given: unknown, at: string): GroupResources {
  const { group = '', ...rest } = fieldsOf(given, at, ['group', 'resources', 'resourceNames']);
  if (typeof group !== 'string') throw fault(`${at}.group`, 'expected a string');
  // A version was left in.
  if (group.includes('/')) throw fault(`${at}.group`, `${JSON.stringify(group)}: a group name has no slash`);
  const resources = stringsOf(rest.resources, `${at}.resources`);
  const resourceNames = stringsOf(rest.resourceNames, `${at}.resourceNames`);
  if (resourceNames.length && !resources.length)
    throw fault(`${at}.resourceNames`, 'using resourceNames requires at least one resource');
  return { group, resources, resourceNames };
}

const fault = (field: string, what: string) => new Error(`${field}: ${what}`);

function fieldsOf(given: unknown, at: string, known: readonly string[]): Fields {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw fault(at, 'expected an object');
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw fault(at, `unknown field ${JSON.stringify(name)}`);
  return given as Fields;
}

function listOf(given: unknown, at: string): readonly unknown[] {
  if (given === undefined || given === null) return [];
  if (!Array.isArray(given)) throw fault(at, 'expected a list');
  return given;
}

function stringsOf(given: unknown, at: string): readonly string[] {
  return listOf(given, at).map((one, index) => {
    if (typeof one !== 'string') throw fault(`${at}[${index}]`, 'expected a string');
    return one;
  });
}

const stagesOf = (given: unknown, at: string) =>
  listOf(given, at).map((one, index) => oneOf(one, STAGES, `${at}[${index}]`));

function oneOf<T extends string>(given: unknown, allowed: readonly T[], at: string): T {
  if (!allowed.includes(given as T))
    throw fault(at, `Unsupported value: ${JSON.stringify(given)}: supported values: ${allowed.join(', ')}`);
  return given as T;
}

function booleanOf(given: unknown, at: string): boolean | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given !== 'boolean') throw fault(at, 'expected true or false');
  return given;
}
