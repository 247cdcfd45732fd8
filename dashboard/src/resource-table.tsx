import { Alert, Center, Loader, ScrollArea, Table, Text, TextInput, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { ApiObject } from './api.ts';
import type { Collection } from './use-collection.ts';

export interface Column {
  readonly title: string;
  render(object: ApiObject): ReactNode;
}

/** A collection as a table with a filter by name; says so when it is empty, loading or refused. */
export function ResourceTable({
  title,
  collection,
  columns,
  order = byName,
}: {
  title: string;
  collection: Collection;
  columns: readonly Column[];
  order?: (a: ApiObject, b: ApiObject) => number;
}) {
  const [filter, setFilter] = useState('');
  const { objects, loading, error } = collection;
  const shown = objects
    .filter((object) => `${object.metadata.namespace ?? ''}/${object.metadata.name}`.includes(filter))
    .sort(order);
  return (
    <section>
      <Title order={4} mb="xs" mt="md">
        {title}{' '}
        <Text span c="dimmed" size="sm">
          {loading ? '' : objects.length}
        </Text>
      </Title>
      {error && (
        <Alert color="red" mb="sm">
          {error.message}
        </Alert>
      )}
      {objects.length > 8 && (
        <TextInput
          placeholder="Filter by name"
          aria-label={`Filter ${title}`}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
          mb="xs"
          maw={320}
        />
      )}
      {loading ? (
        <Center p="lg">
          <Loader size="sm" />
        </Center>
      ) : shown.length === 0 ? (
        !error && <Text c="dimmed">None.</Text>
      ) : (
        <ScrollArea>
          <Table striped highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                {columns.map((column) => (
                  <Table.Th key={column.title}>{column.title}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.slice(0, 500).map((object) => (
                <Table.Tr key={object.metadata.uid}>
                  {columns.map((column) => (
                    <Table.Td key={column.title}>{column.render(object)}</Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          {shown.length > 500 && (
            <Text c="dimmed" size="sm">
              The first 500 of {shown.length}: filter to see others.
            </Text>
          )}
        </ScrollArea>
      )}
    </section>
  );
}

function byName(a: ApiObject, b: ApiObject): number {
  return (
    (a.metadata.namespace ?? '').localeCompare(b.metadata.namespace ?? '') ||
    a.metadata.name.localeCompare(b.metadata.name)
  );
}
