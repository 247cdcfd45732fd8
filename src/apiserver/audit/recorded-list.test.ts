import { expect, it } from 'vitest';
import { Entry } from '../watch-cache/entry.ts';
import { RecordedList } from './recorded-list.ts';

const entries = Array.from(
  { length: 200 },
  (_, index) =>
    new Entry(
      `n/c${index}`,
      index + 1,
      Buffer.from(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: `c${index}`, managedFields: [{ manager: 'm' }] },
          data: { text: 'x'.repeat(1000) },
        }),
      ),
    ),
);

it.each([false, true])(
  'a large list is one JSON in several pieces (omitManagedFields: %s)',
  async (omitManagedFields) => {
    const head = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '200' } };
    const list = new RecordedList({
      head,
      entry: (index) => entries[index]!,
      count: entries.length,
      omitManagedFields,
    });
    const pieces = await list.pieces();
    expect(pieces.length).toBeGreaterThan(3);
    const { items, ...rest } = JSON.parse(pieces.join(''));
    expect(rest).toEqual(head);
    expect(items).toHaveLength(200);
    expect(items[7].metadata).toEqual({
      resourceVersion: '8',
      name: 'c7',
      ...(omitManagedFields ? {} : { managedFields: [{ manager: 'm' }] }),
    });
  },
);
