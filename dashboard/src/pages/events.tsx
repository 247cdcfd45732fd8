import { Badge } from '@mantine/core';
import type { ApiObject } from '../api.ts';
import { age } from '../format.ts';
import { ResourceTable } from '../resource-table.tsx';
import { type Collection, useCollection, useNow } from '../use-collection.ts';

interface EventFields {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string;
  readonly eventTime?: string;
  readonly involvedObject?: { readonly kind?: string; readonly name?: string };
}

/** An API time; empty when the event has none. */
function lastSeen(event: ApiObject): string {
  const { lastTimestamp, eventTime } = event as EventFields;
  return lastTimestamp ?? eventTime ?? event.metadata.creationTimestamp ?? '';
}

export function EventsPage({ namespace }: { namespace: string }) {
  return (
    <EventsTable collection={useCollection(namespace ? `/api/v1/namespaces/${namespace}/events` : '/api/v1/events')} />
  );
}

export function EventsTable({ collection }: { collection: Collection }) {
  const now = useNow();
  const fields = (object: unknown) => object as EventFields;
  return (
    <ResourceTable
      title="Events"
      collection={collection}
      order={(a, b) => lastSeen(b).localeCompare(lastSeen(a))}
      columns={[
        {
          title: 'Last seen',
          render: (event) => age(lastSeen(event), now),
        },
        {
          title: 'Type',
          render: (event) => (
            <Badge color={fields(event).type === 'Warning' ? 'orange' : 'gray'} variant="light" tt="none" miw={80}>
              {fields(event).type}
            </Badge>
          ),
        },
        { title: 'Reason', render: (event) => fields(event).reason },
        {
          title: 'Object',
          render: (event) => `${fields(event).involvedObject?.kind}/${fields(event).involvedObject?.name}`,
        },
        { title: 'Message', render: (event) => fields(event).message },
        { title: 'Count', render: (event) => fields(event).count ?? 1 },
      ]}
    />
  );
}
