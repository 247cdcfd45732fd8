import { type FieldError, FieldPath, invalidValue, required, tooLong } from '../../apimachinery/field.ts';
import { jsonSyntaxError } from '../../apimachinery/json-scanner.ts';
import { isConfigMapKey } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable } from '../field-checks.ts';
import type { Secret } from '../types/core.v1.gen.ts';
import { base64Bytes, MAX_DATA_BYTES, validateImmutableData } from './config-map.ts';

const redacted = '<secret contents redacted>';

export const secret = defineKind<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  default(secret) {
    secret.type ||= 'Opaque';
    // Write-only: plain text that wins over `data`.
    if (secret.stringData) {
      secret.data = { ...secret.data };
      for (const [key, text] of Object.entries(secret.stringData))
        secret.data[key] = Buffer.from(text, 'utf8').toString('base64');
      delete secret.stringData;
    }
  },
  validate: (secret, old) => [
    ...(old ? immutable(FieldPath.of('type'), secret.type, old.type) : []),
    ...validateImmutableData(secret, old, ['data']),
    ...validateSecret(secret),
  ],
  columns: [
    nameColumn,
    column('Type', (secret) => secret.type ?? '', { description: 'What the data is for' }),
    column('Data', (secret) => Object.keys(secret.data ?? {}).length, {
      description: 'Number of keys',
    }),
    ageColumn,
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },
});

function validateSecret(secret: Secret): FieldError[] {
  const data = FieldPath.of('data');
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    for (const message of isConfigMapKey(key)) errors.push(invalidValue(data.key(key), key, message));
    bytes += base64Bytes(value);
  }
  if (bytes > MAX_DATA_BYTES) errors.push(tooLong(data, MAX_DATA_BYTES));

  const has = (key: string) => Object.hasOwn(secret.data ?? {}, key);
  switch (secret.type) {
    case 'kubernetes.io/service-account-token': {
      const annotation = 'kubernetes.io/service-account.name';
      if (!secret.metadata.annotations?.[annotation])
        errors.push(required(FieldPath.of('metadata', 'annotations').key(annotation)));
      break;
    }
    case 'kubernetes.io/dockercfg':
      errors.push(...requireJson(secret, '.dockercfg'));
      break;
    case 'kubernetes.io/dockerconfigjson':
      errors.push(...requireJson(secret, '.dockerconfigjson'));
      break;
    case 'kubernetes.io/basic-auth':
      if (!has('username') && !has('password'))
        errors.push(required(data.key('username')), required(data.key('password')));
      break;
    case 'kubernetes.io/ssh-auth':
      if (!secret.data?.['ssh-privatekey']) errors.push(required(data.key('ssh-privatekey')));
      break;
    case 'kubernetes.io/tls':
      for (const key of ['tls.crt', 'tls.key']) if (!has(key)) errors.push(required(data.key(key)));
      break;
  }
  return errors;
}

function requireJson(secret: Secret, key: string): FieldError[] {
  const path = FieldPath.of('data').key(key);
  const text = secret.data?.[key];
  if (text === undefined) return [required(path)];
  const problem = whyNoObject(Buffer.from(text, 'base64').toString('utf8'));
  return problem === undefined ? [] : [invalidValue(path, redacted, problem)];
}

/** Why the text is no JSON object, in the words of Go's decoder. */
function whyNoObject(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return jsonSyntaxError(text);
  }
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return undefined;
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`;
}
