import { Anchor, Badge } from '@mantine/core';
import { age, podSummary } from '../format.ts';
import { ResourceTable } from '../resource-table.tsx';
import { useCollection, useNow } from '../use-collection.ts';

export function PodsPage({ namespace }: { namespace: string }) {
  const pods = useCollection(namespace ? `/api/v1/namespaces/${namespace}/pods` : '/api/v1/pods');
  const now = useNow();
  return (
    <ResourceTable
      title="Pods"
      collection={pods}
      columns={[
        { title: 'Namespace', render: (pod) => pod.metadata.namespace },
        {
          title: 'Name',
          render: (pod) => (
            <Anchor href={`#/pods/${pod.metadata.namespace}/${pod.metadata.name}`}>{pod.metadata.name}</Anchor>
          ),
        },
        { title: 'Ready', render: (pod) => podSummary(pod).ready },
        {
          title: 'Status',
          render: (pod) => {
            const { status, color } = podSummary(pod);
            return (
              <Badge color={color} variant="light" tt="none">
                {status}
              </Badge>
            );
          },
        },
        { title: 'Restarts', render: (pod) => podSummary(pod).restarts },
        { title: 'IP', render: (pod) => pod.status?.podIP ?? '-' },
        { title: 'Node', render: (pod) => pod.spec?.nodeName ?? '-' },
        { title: 'Age', render: (pod) => age(pod.metadata.creationTimestamp, now) },
      ]}
    />
  );
}
