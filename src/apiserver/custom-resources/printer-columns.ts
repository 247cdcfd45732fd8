import { nameColumn } from '../../api/columns.ts';
import type { PrinterColumn } from '../../api/kind.ts';
import type { CustomResourceColumnDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import { humanDuration } from '../../apimachinery/age.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { type JsonPath, parseJsonPath } from './json-path.ts';

const ageColumn: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  description:
    'When the object was created, as the server saw it. Times of different operations are in no certain order. Read-only.',
  jsonPath: '.metadata.creationTimestamp',
};

/** `NAME`, then what the CRD wants shown; without wishes, `AGE`. */
export function printerColumns(
  given: readonly CustomResourceColumnDefinition[] | undefined,
): readonly PrinterColumn<UnstructuredObject>[] {
  const columns = given?.length ? given : [ageColumn];
  return [nameColumn as PrinterColumn<UnstructuredObject>, ...columns.map(printerColumn)];
}

function printerColumn(column: CustomResourceColumnDefinition): PrinterColumn<UnstructuredObject> {
  let path: JsonPath | undefined;
  const type = column.type as PrinterColumn<unknown>['type'];
  return {
    name: column.name,
    type,
    ...(column.format ? { format: column.format } : {}),
    description: column.description || `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    priority: column.priority ?? 0,
    value(object, now) {
      path ??= parseJsonPath(column.jsonPath);
      const results = path.find(object);
      return results.length === 0 ? null : cellOf(type, results[0], now);
    },
  };
}

function cellOf(type: PrinterColumn<unknown>['type'], value: unknown, now: number): string | number | boolean | null {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date': {
      if (typeof value !== 'string') return null;
      const then = Date.parse(value);
      return Number.isNaN(then) ? '<invalid>' : humanDuration(now - then);
    }
    default:
      if (value === null) return 'null';
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
