import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { event as coreEvent, EVENT_TTL_SECONDS, validateEvent } from '../core/event.ts';
import { defineKind } from '../define.ts';
import { immutable, semanticEqual } from '../field-checks.ts';
import type { Event as CoreEvent } from '../types/core.v1.gen.ts';
import type { Event } from '../types/events.v1.gen.ts';
import { eventFromCore, eventToCore } from './core-conversion.ts';

const at = (...names: string[]) => FieldPath.of(...names);

const asCore = (object: Event) =>
  eventToCore({ ...object } as unknown as Draft<UnstructuredObject>) as unknown as CoreEvent;

/** The newer form of the same events; new ones must be complete, and only their series may change. */
export const event = defineKind<Event>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  createOnUpdate: true,
  ttlSeconds: EVENT_TTL_SECONDS,
  storage: {
    group: '',
    version: 'v1',
    resource: 'events',
    toStorage: eventToCore,
    fromStorage: eventFromCore,
  },
  default: (object) => {
    object.regarding ??= {};
  },
  validate: (object) => validateEvent(asCore(object), 'reportingController'),
  validateCreate: validateNew,
  validateUpdate: (object, old) => {
    const now = asCore(object) as unknown as Readonly<Record<string, unknown>>;
    const was = asCore(old) as unknown as Readonly<Record<string, unknown>>;
    const fields = [
      ...[
        'involvedObject',
        'reason',
        'message',
        'source',
        'firstTimestamp',
        'lastTimestamp',
        'count',
        'reason',
        'type',
      ],
      ...['eventTime', 'action', 'related', 'reportingComponent', 'reportingInstance'],
    ];
    return [
      ...(semanticEqual(object.series, old.series) ? [] : validateSeries(object)),
      ...fields.flatMap((field) =>
        immutable(at(field === 'reportingComponent' ? 'reportingController' : field), now[field], was[field]),
      ),
    ];
  },
  columns: coreEvent.columns.map((column) => ({
    ...column,
    value: (object: Event, now: number) => column.value(asCore(object), now),
  })),
  selectableFields: {
    'regarding.kind': ({ regarding }) => regarding?.kind ?? '',
    'regarding.namespace': ({ regarding }) => regarding?.namespace ?? '',
    'regarding.name': ({ regarding }) => regarding?.name ?? '',
    'regarding.uid': ({ regarding }) => regarding?.uid ?? '',
    'regarding.apiVersion': ({ regarding }) => regarding?.apiVersion ?? '',
    'regarding.resourceVersion': ({ regarding }) => regarding?.resourceVersion ?? '',
    'regarding.fieldPath': ({ regarding }) => regarding?.fieldPath ?? '',
    reason: (object) => object.reason ?? '',
    reportingController: (object) => object.reportingController ?? '',
    type: (object) => object.type ?? '',
  },
});

function validateNew(object: Event): FieldError[] {
  const errors = validateSeries(object);
  if (!object.eventTime) errors.push(required(at('eventTime')));
  if (object.type !== 'Normal' && object.type !== 'Warning')
    errors.push(invalidValue(at('type'), '', `has invalid value: ${object.type ?? ''}`));
  const unset = 'needs to be unset';
  if (object.deprecatedFirstTimestamp) errors.push(invalidValue(at('firstTimestamp'), '', unset));
  if (object.deprecatedLastTimestamp) errors.push(invalidValue(at('lastTimestamp'), '', unset));
  if (object.deprecatedCount) errors.push(invalidValue(at('count'), '', unset));
  if (object.deprecatedSource?.component || object.deprecatedSource?.host)
    errors.push(invalidValue(at('source'), '', unset));
  return errors;
}

function validateSeries({ series }: Event): FieldError[] {
  if (!series) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalidValue(at('series', 'count'), '', 'should be at least 2')] : []),
    ...(series.lastObservedTime ? [] : [required(at('series', 'lastObservedTime'))]),
  ];
}
