import { Badge } from '@mantine/core';
import type { ApiObject } from '../api.ts';
import { age } from '../format.ts';
import { ResourceTable } from '../resource-table.tsx';
import { useCollection, useNow } from '../use-collection.ts';

export function NodesPage() {
  const nodes = useCollection('/api/v1/nodes');
  const now = useNow();
  return (
    <ResourceTable
      title="Nodes"
      collection={nodes}
      columns={[
        { title: 'Name', render: (node) => node.metadata.name },
        { title: 'Status', render: (node) => <NodeStatus node={node} /> },
        {
          title: 'Address',
          render: (node) =>
            node.status?.addresses?.find(({ type }: { type: string }) => type === 'InternalIP')?.address ?? '-',
        },
        { title: 'CPU', render: (node) => node.status?.allocatable?.cpu ?? '-' },
        { title: 'Memory', render: (node) => node.status?.allocatable?.memory ?? '-' },
        { title: 'Pods', render: (node) => node.status?.allocatable?.pods ?? '-' },
        { title: 'Runtime', render: (node) => node.status?.nodeInfo?.containerRuntimeVersion ?? '-' },
        { title: 'Version', render: (node) => node.status?.nodeInfo?.kubeletVersion ?? '-' },
        { title: 'Age', render: (node) => age(node.metadata.creationTimestamp, now) },
      ]}
    />
  );
}

function NodeStatus({ node }: { node: ApiObject }) {
  const ready = node.status?.conditions?.find(({ type }: { type: string }) => type === 'Ready')?.status === 'True';
  return (
    <>
      <Badge color={ready ? 'green' : 'red'} variant="light">
        {ready ? 'Ready' : 'NotReady'}
      </Badge>
      {node.spec?.unschedulable && (
        <Badge color="yellow" variant="light" ml={4}>
          Cordoned
        </Badge>
      )}
    </>
  );
}
