import { type FieldError, type FieldPath, invalidValue, notSupported, required } from '../../../apimachinery/field.ts';
import {
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isQualifiedName,
  isRelaxedEnvVarName,
  validateName,
} from '../../../apimachinery/names.ts';
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  FileKeySelector,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../../types/core.v1.gen.ts';
import { validatePathNoBacksteps } from './paths.ts';
import { isHugePages, parseAmount } from './resources.ts';

const envFields = [
  ...['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName'],
  ...['status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'],
];
const volumeFields = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'metadata.labels', 'metadata.annotations'];

const containerAmounts = [
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
  ...['requests.cpu', 'requests.memory', 'requests.ephemeral-storage'],
];

export function validateEnv(variables: readonly EnvVar[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  variables.forEach(({ name, value, valueFrom }, index) => {
    const at = path.index(index);
    if (!name) errors.push(required(at.child('name')));
    else for (const message of isRelaxedEnvVarName(name)) errors.push(invalidValue(at.child('name'), name, message));
    if (valueFrom) errors.push(...validateEnvSource(valueFrom, value, at.child('valueFrom')));
  });
  return errors;
}

function validateEnvSource(source: EnvVarSource, value: string | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { fieldRef, resourceFieldRef, fileKeyRef } = source;
  let sources = 0;
  if (fieldRef) {
    sources++;
    errors.push(...validateFieldRef(fieldRef, path.child('fieldRef'), envFields));
  }
  if (resourceFieldRef) {
    sources++;
    errors.push(...validateResourceFieldRef(resourceFieldRef, path.child('resourceFieldRef'), false));
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = source[kind];
    if (!reference) continue;
    sources++;
    const at = path.child(kind);
    const name = reference.name ?? '';
    for (const message of isDns1123Subdomain(name)) errors.push(invalidValue(at.child('name'), name, message));
    if (!reference.key) errors.push(required(at.child('key')));
    else
      for (const message of isConfigMapKey(reference.key))
        errors.push(invalidValue(at.child('key'), reference.key, message));
  }
  if (fileKeyRef) {
    sources++;
    errors.push(...validateFileKeyRef(fileKeyRef, path.child('fileKeyRef')));
  }
  if (sources === 0)
    errors.push(
      invalidValue(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (value) errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  return errors;
}

function validateFileKeyRef({ key, volumeName, path: file }: FileKeySelector, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (!key) errors.push(required(path.child('key')));
  else for (const message of isRelaxedEnvVarName(key)) errors.push(invalidValue(path.child('key'), key, message));
  const at = path.child('volumeName');
  if (!volumeName) errors.push(required(at));
  else for (const message of isDns1123Label(volumeName)) errors.push(invalidValue(at, volumeName, message));
  if (!file) errors.push(required(path.child('path')));
  else errors.push(...validatePathNoBacksteps(file, path.child('path')));
  return errors;
}

/** `metadata.labels['key']` is `['metadata.labels', 'key']`. */
function splitSubscript(fieldPath: string): readonly [path: string, subscript: string] | undefined {
  const match = /^(.*)\['([^']*)'\]$/.exec(fieldPath);
  return match ? [match[1] ?? '', match[2] ?? ''] : undefined;
}

function validateFieldRef(reference: ObjectFieldSelector, path: FieldPath, supported: readonly string[]): FieldError[] {
  if (!reference.apiVersion) return [required(path.child('apiVersion'))];
  const { fieldPath } = reference;
  if (!fieldPath) return [required(path.child('fieldPath'))];
  const at = path.child('fieldPath');
  const unknown = (why: string) => [invalidValue(at, fieldPath, `error converting fieldPath: ${why}`)];
  if (reference.apiVersion !== 'v1') return unknown(`unsupported pod version: ${reference.apiVersion}`);
  const subscripted = splitSubscript(fieldPath);
  if (subscripted) {
    const [field, key] = subscripted;
    if (field !== 'metadata.annotations' && field !== 'metadata.labels')
      return unknown(`field label does not support subscript: ${fieldPath}`);
    const name = field === 'metadata.annotations' ? key.toLowerCase() : key;
    return isQualifiedName(name).map((message) => invalidValue(path, name, message));
  }
  if (!knownFields.has(fieldPath)) return unknown(`field label not supported: ${fieldPath}`);
  const internal = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  return supported.includes(internal) ? [] : [notSupported(at, internal, [...supported].sort())];
}

/** The field labels of pods that downward API paths go through first. */
const knownFields = new Set([
  ...envFields,
  ...volumeFields,
  ...['spec.host', 'spec.restartPolicy', 'spec.schedulerName', 'status.phase'],
]);

export const validateVolumeFieldRef = (reference: ObjectFieldSelector, path: FieldPath) =>
  validateFieldRef(reference, path, volumeFields);

export function validateResourceFieldRef(
  reference: ResourceFieldSelector,
  path: FieldPath,
  inVolume: boolean,
): FieldError[] {
  const { containerName, resource = '', divisor } = reference;
  const errors: FieldError[] = [];
  if (inVolume && !containerName) errors.push(required(path.child('containerName')));
  else if (!resource) errors.push(required(path.child('resource')));
  else if (!containerAmounts.includes(resource) && !hugePagesPath.test(resource))
    errors.push(notSupported(path.child('resource'), resource, [...containerAmounts].sort()));
  return [...errors, ...validateDivisor(resource, divisor, path.child('divisor'))];
}

const hugePagesPath = /^(?:limits|requests)\.hugepages-/;
const cpuDivisors = ['1m', '1'];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

function validateDivisor(resource: string, divisor: string | undefined, path: FieldPath): FieldError[] {
  const amount = parseAmount(divisor);
  if (!amount || amount.isZero()) return [];
  const name = resource.replace(/^(?:limits|requests)\./, '');
  const only = (values: string, subject: string) => [
    invalidValue(path, resource, `only divisor's values ${values} are supported with the ${subject} resource`),
  ];
  if (name === 'cpu') return cpuDivisors.includes(amount.toString()) ? [] : only('1m and 1', 'cpu');
  const subject = byteSubject(name);
  return !subject || byteDivisors.includes(amount.toString()) ? [] : only(byteDivisors.join(', '), subject);
}

function byteSubject(name: string): string | undefined {
  if (name === 'memory') return 'memory';
  if (name === 'ephemeral-storage') return 'local ephemeral storage';
  return isHugePages(name) ? 'hugepages' : undefined;
}

/** What is wrong with the number of sources of one entry is said of the whole list. */
export function validateEnvFrom(sources: readonly EnvFromSource[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  sources.forEach(({ prefix, configMapRef, secretRef }, index) => {
    const at = path.index(index);
    if (prefix)
      for (const message of isRelaxedEnvVarName(prefix)) errors.push(invalidValue(at.child('prefix'), prefix, message));
    for (const [kind, reference] of Object.entries({ configMapRef, secretRef })) {
      if (!reference) continue;
      const { name } = reference;
      if (!name) errors.push(required(at.child(kind, 'name')));
      else
        for (const message of validateName('dns1123Subdomain', name, true))
          errors.push(invalidValue(at.child(kind, 'name'), name, message));
    }
    if (!configMapRef && !secretRef)
      errors.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (configMapRef && secretRef)
      errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  });
  return errors;
}
