import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';

/** Fields that core/v1 and events.k8s.io/v1 name differently; all others are the same. */
const renamed: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

const toCoreName = new Map(renamed.map(([core, events]) => [events, core]));
const toEventsName = new Map(renamed);

/** An events.k8s.io/v1 event as the core/v1 event it is stored as. */
export function eventToCore(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> {
  return rename(object, toCoreName, 'v1');
}

export function eventFromCore(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> {
  return rename(object, toEventsName, 'events.k8s.io/v1');
}

function rename(
  object: Draft<UnstructuredObject>,
  names: ReadonlyMap<string, string>,
  apiVersion: string,
): Draft<UnstructuredObject> {
  const entries = Object.entries(object).map(([field, value]) => [names.get(field) ?? field, value]);
  return { ...Object.fromEntries(entries), apiVersion } as Draft<UnstructuredObject>;
}
