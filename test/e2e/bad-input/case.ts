import type { RawRequest } from './raw-client.ts';

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
export const MIB = 1024 * 1024;
export const json = JSON.stringify;
export const named = (name: string, fields: object = {}) =>
  json({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...fields });
export const yaml = 'application/yaml';

/** What comes back for it: code, reason, and the message or a part of it. */
export type Case = readonly [
  what: string,
  path: string,
  request: RawRequest,
  code: number,
  reason: string,
  message: string | RegExp,
];

export const post = (body: string, contentType?: string): RawRequest => ({
  method: 'POST',
  body,
  ...(contentType ? { contentType } : {}),
});
export const patch = (type: string, body: string): RawRequest => ({
  method: 'PATCH',
  body,
  contentType: `application/${type}`,
});
export const unrecognized = 'the object provided is unrecognized (must be of type ConfigMap): ';
export const cannot = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: ';
