import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../apimachinery/names.ts';
import { ageSince, column } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor } from '../field-checks.ts';
import type { Event, EventSource } from '../types/core.v1.gen.ts';

/** Events are gone an hour after they were last written. */
export const EVENT_TTL_SECONDS = 3600;

/** Limits of events of the newer form, in bytes. */
const limits = { reportingInstance: 128, action: 128, reason: 128, message: 1024 } as const;

export const event = defineKind<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  createOnUpdate: true,
  ttlSeconds: EVENT_TTL_SECONDS,
  default(event) {
    event.involvedObject ??= {};
    event.source ??= {};
  },
  validate: (event) => validateEvent(event, 'reportingComponent'),
  columns: [
    column('Last Seen', lastSeen, { description: 'Time since the event was last seen' }),
    column('Type', (event) => event.type ?? '', { description: 'Normal or Warning' }),
    column('Reason', (event) => event.reason ?? '', { description: 'Why it happened, in a word' }),
    column(
      'Object',
      ({ involvedObject: { kind = '', name = '' } }) => (name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase()),
      { description: 'What it happened to' },
    ),
    column('Subobject', ({ involvedObject }) => involvedObject.fieldPath ?? '', {
      wide: true,
      description: 'The part that it happened to',
    }),
    column('Source', (event) => formatSource(event), { wide: true, description: 'Who reports it' }),
    column('Message', (event) => (event.message ?? '').trim(), { description: 'What happened' }),
    column('First Seen', firstSeen, { wide: true, description: 'Time since the event was first seen' }),
    column('Count', (event) => (event.series ? (event.series.count ?? 0) : event.count || 1), {
      wide: true,
      description: 'How often it was seen',
    }),
    {
      ...column<Event>('Name', (event) => event.metadata.name, { wide: true, description: 'Name of the event' }),
      format: 'name',
    },
  ],
  selectableFields: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject?.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject?.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject?.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject?.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || event.reportingComponent || '',
    type: (event) => event.type ?? '',
  },
});

function firstSeen(event: Event, now: number): string {
  return ageSince(event.firstTimestamp || event.eventTime, now);
}

function lastSeen(event: Event, now: number): string {
  if (event.series) return ageSince(event.series.lastObservedTime, now);
  return event.lastTimestamp ? ageSince(event.lastTimestamp, now) : firstSeen(event, now);
}

function formatSource(event: Event): string {
  const source: EventSource = event.source ?? {};
  const component = source.component || event.reportingComponent || '';
  const instance = source.host || event.reportingInstance || '';
  return instance ? `${component}, ${instance}` : component;
}

/** `reporter`: what the API version asked for calls the reporting component. */
export function validateEvent(event: Event, reporter: 'reportingComponent' | 'reportingController'): FieldError[] {
  const involved = event.involvedObject?.namespace ?? '';
  const namespace = event.metadata.namespace ?? '';
  const errors: FieldError[] = [];
  // Events about cluster-scoped objects live in default; those of today's form may be in kube-system too.
  const matches = event.eventTime
    ? involved !== '' || namespace === 'default' || namespace === 'kube-system'
    : involved === namespace || (involved === '' && namespace === 'default');
  if (!matches)
    errors.push(invalidValue(FieldPath.of('involvedObject', 'namespace'), involved, 'does not match event.namespace'));
  if (event.eventTime) errors.push(...validateReport(event, reporter));
  return [...errors, ...invalidFor(FieldPath.of('namespace'), namespace, isDns1123Subdomain(namespace))];
}

function validateReport(event: Event, reporter: string): FieldError[] {
  const { reportingComponent = '' } = event;
  const at = FieldPath.of(reporter);
  const errors = reportingComponent ? [] : [required(at)];
  errors.push(...invalidFor(at, reportingComponent, isQualifiedName(reportingComponent)));
  for (const [field, limit] of Object.entries(limits)) {
    const path = FieldPath.of(field);
    const text = event[field as keyof typeof limits] ?? '';
    if (text === '' && field !== 'message') errors.push(required(path));
    if (Buffer.byteLength(text) > limit) errors.push(invalidValue(path, '', `can have at most ${limit} characters`));
  }
  return errors;
}
