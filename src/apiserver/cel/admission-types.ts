import { dyn, type StaticType, scalar } from './schema-types.ts';

/** What is known of the variables of expressions about requests, whatever the object. */

type Fields = Readonly<Record<string, StaticType>>;

const text = scalar('string');
const whole = scalar('int');
const time = scalar('timestamp');
const list = (item: StaticType): StaticType => ({ kind: 'list', item: () => item });
const map = (item: StaticType): StaticType => ({ kind: 'map', item: () => item });
const object = (fields: Fields): StaticType => ({
  kind: 'object',
  field: (name) => (Object.hasOwn(fields, name) ? fields[name] : undefined),
});

const kind = object({ group: text, version: text, kind: text });
const resource = object({ group: text, version: text, resource: text });

const request = object({
  kind,
  resource,
  subResource: text,
  requestKind: kind,
  requestResource: resource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: object({ username: text, uid: text, groups: list(text), extra: map(list(text)) }),
  dryRun: scalar('bool'),
  options: dyn,
});

const namespaceObject = object({
  metadata: object({
    name: text,
    generateName: text,
    namespace: text,
    labels: map(text),
    annotations: map(text),
    uid: text,
    UID: text,
    creationTimestamp: time,
    deletionGracePeriodSeconds: whole,
    deletionTimestamp: time,
    generation: whole,
    resourceVersion: text,
    finalizers: list(text),
  }),
  spec: object({ finalizers: list(text) }),
  status: object({
    phase: text,
    conditions: list(object({ type: text, status: text, lastTransitionTime: time, reason: text, message: text })),
  }),
});

export const ADMISSION_TYPES: readonly (readonly [string, StaticType])[] = [
  ['request', request],
  ['namespaceObject', namespaceObject],
];
