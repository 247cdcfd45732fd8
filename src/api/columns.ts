import { humanDuration } from '../apimachinery/age.ts';
import { labelSelectorMatcher } from '../apimachinery/labels.ts';
import type { KubeObject, LabelSelector } from '../apimachinery/meta.ts';
import type { PrinterColumn } from './kind.ts';

/** `NAME`, first in every table. */
export const nameColumn: PrinterColumn<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace',
  priority: 0,
  value: (object) => object.metadata.name,
};

/** `AGE`: time since creation, `<unknown>` for an object without a creation time. */
export const ageColumn: PrinterColumn<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created',
  priority: 0,
  value: (object, now) => ageSince(object.metadata.creationTimestamp, now),
};

export interface ColumnOptions {
  readonly type?: PrinterColumn<unknown>['type'];
  readonly description?: string;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
}

/** A column of strings unless `options.type` says otherwise. */
export function column<T>(
  name: string,
  value: (object: T, now: number) => string | number | boolean | null,
  options: ColumnOptions = {},
): PrinterColumn<T> {
  return {
    name,
    type: options.type ?? 'string',
    description: options.description ?? name,
    priority: options.wide ? 1 : 0,
    value,
  };
}

/** `5m30s` since an RFC 3339 time; `<unknown>` without one. `now` in epoch ms. */
export function ageSince(time: string | undefined | null, now: number): string {
  if (!time) return '<unknown>';
  const then = Date.parse(time);
  return Number.isNaN(then) ? '<unknown>' : humanDuration(now - then);
}

/** `<none>` for an absent or empty text. */
export const orNone = (text: string | undefined): string => text || '<none>';

/** `a=b,c=d` in key order, `<none>` when empty. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(labels ?? {}).sort();
  return keys.length ? keys.map((key) => `${key}=${labels?.[key]}`).join(',') : '<none>';
}

/** A label selector as kubectl prints it in wide columns; `<none>` when it selects by nothing. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (!selector) return '<none>';
  try {
    return labelSelectorMatcher(selector).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

/** The `CONTAINERS`, `IMAGES` pair of workload tables: comma-joined over a pod template's containers. */
export function containerColumns<T>(
  containersOf: (object: T) => readonly { readonly name: string; readonly image?: string }[] | undefined,
): readonly PrinterColumn<T>[] {
  const joined = (pick: (container: { readonly name: string; readonly image?: string }) => string) => (object: T) =>
    (containersOf(object) ?? []).map(pick).join(',');
  return [
    column<T>(
      'Containers',
      joined((container) => container.name),
      {
        wide: true,
        description: 'Names of the containers in the template',
      },
    ),
    column<T>(
      'Images',
      joined((container) => container.image ?? ''),
      {
        wide: true,
        description: 'Images of the containers in the template',
      },
    ),
  ];
}
