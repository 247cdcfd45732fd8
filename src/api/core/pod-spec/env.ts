import {
  type FieldError,
  type FieldPath,
  fieldNotFound,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import {
  isConfigMapKey,
  isDns1123Subdomain,
  isQualifiedName,
  isRelaxedEnvVarName,
} from '../../../apimachinery/names.ts';
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
  Volume,
} from '../../types/core.v1.gen.ts';
import { validateLocalPath } from './paths.ts';
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

export function validateEnv(
  variables: readonly EnvVar[] | undefined,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  return (variables ?? []).flatMap((variable, index) => {
    const at = path.index(index);
    const errors = variable.name
      ? isRelaxedEnvVarName(variable.name).map((message) => invalidValue(at.child('name'), variable.name, message))
      : [required(at.child('name'))];
    if (variable.valueFrom) {
      errors.push(...validateEnvSource(variable.valueFrom, variable.value, at.child('valueFrom'), volumes));
    }
    return errors;
  });
}

function validateEnvSource(
  source: EnvVarSource,
  value: string | undefined,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const errors: FieldError[] = [];
  let sources = 0;
  if (source.fieldRef) {
    sources++;
    errors.push(...validateFieldRef(source.fieldRef, path.child('fieldRef'), envFields));
  }
  if (source.resourceFieldRef) {
    sources++;
    errors.push(...validateResourceFieldRef(source.resourceFieldRef, path.child('resourceFieldRef'), false));
  }
  for (const kind of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = source[kind];
    if (!reference) continue;
    sources++;
    const at = path.child(kind);
    if (!reference.name) errors.push(required(at.child('name')));
    if (!reference.key) errors.push(required(at.child('key')));
    else
      errors.push(
        ...isConfigMapKey(reference.key).map((message) => invalidValue(at.child('key'), reference.key, message)),
      );
  }
  if (source.fileKeyRef) {
    sources++;
    const at = path.child('fileKeyRef');
    const { key, path: file, volumeName } = source.fileKeyRef;
    if (!key) errors.push(required(at.child('key')));
    else errors.push(...isRelaxedEnvVarName(key).map((message) => invalidValue(at.child('key'), key, message)));
    if (!file) errors.push(required(at.child('path')));
    else errors.push(...validateLocalPath(file, at.child('path')));
    if (!volumeName) errors.push(required(at.child('volumeName')));
    else if (!volumes.has(volumeName)) errors.push(fieldNotFound(at.child('volumeName'), volumeName));
    else if (!volumes.get(volumeName)?.emptyDir)
      errors.push(invalidValue(at.child('volumeName'), volumeName, 'referenced volume must be of type emptyDir'));
  }
  if (sources === 0) {
    errors.push(
      invalidValue(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  } else {
    if (value) errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
    if (sources > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  }
  return errors;
}

/** `metadata.labels['key']` is `['metadata.labels', 'key']`. */
function splitSubscript(fieldPath: string): readonly [path: string, subscript: string] | undefined {
  const match = /^(.*)\['([^']*)'\]$/.exec(fieldPath);
  return match ? [match[1] ?? '', match[2] ?? ''] : undefined;
}

export function validateFieldRef(
  reference: ObjectFieldSelector,
  path: FieldPath,
  supported: readonly string[],
): FieldError[] {
  if (!reference.apiVersion) return [required(path.child('apiVersion'))];
  const { fieldPath } = reference;
  if (!fieldPath) return [required(path.child('fieldPath'))];
  const at = path.child('fieldPath');
  if (reference.apiVersion !== 'v1')
    return [
      invalidValue(at, fieldPath, `error converting fieldPath: unsupported pod version: ${reference.apiVersion}`),
    ];
  const subscripted = splitSubscript(fieldPath);
  if (subscripted) {
    const [field, key] = subscripted;
    if (field === 'metadata.annotations')
      return isQualifiedName(key.toLowerCase()).map((message) => invalidValue(path, key, message));
    if (field === 'metadata.labels') return isQualifiedName(key).map((message) => invalidValue(path, key, message));
    return [invalidValue(path, field, 'does not support subscript')];
  }
  if (!knownFields.has(fieldPath))
    return [invalidValue(at, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)];
  return supported.includes(fieldPath) ? [] : [notSupported(at, fieldPath, [...supported].sort())];
}

/** The field labels of pods, which downward API paths go through first. */
const knownFields = new Set([
  ...envFields,
  ...volumeFields,
  ...['spec.restartPolicy', 'spec.schedulerName', 'spec.hostNetwork', 'status.phase', 'status.nominatedNodeName'],
]);

export const validateVolumeFieldRef = (reference: ObjectFieldSelector, path: FieldPath) =>
  validateFieldRef(reference, path, volumeFields);

export function validateResourceFieldRef(
  reference: ResourceFieldSelector,
  path: FieldPath,
  inVolume: boolean,
): FieldError[] {
  if (inVolume && !reference.containerName) return [required(path.child('containerName'))];
  const { resource } = reference;
  if (!resource) return [required(path.child('resource'))];
  const [section, name = ''] = splitOnce(resource);
  if (!containerAmounts.includes(resource) && !((section === 'limits' || section === 'requests') && isHugePages(name)))
    return [notSupported(path.child('resource'), resource, [...containerAmounts].sort())];
  return validateDivisor(name, reference.divisor, path.child('divisor'));
}

function splitOnce(resource: string): [string, string | undefined] {
  const dot = resource.indexOf('.');
  return dot < 0 ? [resource, undefined] : [resource.slice(0, dot), resource.slice(dot + 1)];
}

const cpuDivisors = ['1m', '1'];
const memoryDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

function validateDivisor(name: string, divisor: string | undefined, path: FieldPath): FieldError[] {
  const amount = parseAmount(divisor);
  if (!amount || amount.isZero()) return [];
  const text = amount.toString();
  if (name === 'cpu')
    return cpuDivisors.includes(text)
      ? []
      : [invalidValue(path.child('cpu'), text, "only divisor's values 1m and 1 are supported with the cpu resource")];
  if (memoryDivisors.includes(text)) return [];
  const subject = isHugePages(name) ? 'hugepages' : name === 'memory' ? 'memory' : 'local ephemeral storage';
  return [
    invalidValue(
      path.child(isHugePages(name) ? 'hugepages' : name),
      text,
      `only divisor's values ${memoryDivisors.join(', ')} are supported with the ${subject} resource`,
    ),
  ];
}

export function validateEnvFrom(sources: readonly EnvFromSource[] | undefined, path: FieldPath): FieldError[] {
  return (sources ?? []).flatMap((source, index) => {
    const at = path.index(index);
    const errors: FieldError[] = [];
    if (source.prefix)
      for (const message of isRelaxedEnvVarName(source.prefix))
        errors.push(invalidValue(at.child('prefix'), source.prefix, message));
    let sourceCount = 0;
    for (const kind of ['configMapRef', 'secretRef'] as const) {
      const reference = source[kind];
      if (!reference) continue;
      sourceCount++;
      const name = at.child(kind, 'name');
      if (!reference.name) errors.push(required(at.child(kind).child('name')));
      else
        for (const message of isDns1123Subdomain(reference.name))
          errors.push(invalidValue(name, reference.name, message));
    }
    if (sourceCount === 0) errors.push(invalidValue(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (sourceCount > 1) errors.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
    return errors;
  });
}
