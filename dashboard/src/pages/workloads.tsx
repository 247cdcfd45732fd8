import { Badge } from '@mantine/core';
import type { ApiObject } from '../api.ts';
import { age } from '../format.ts';
import { type Column, ResourceTable } from '../resource-table.tsx';
import { useCollection, useNow } from '../use-collection.ts';

const pathOf = (group: string, resource: string, namespace: string) =>
  `/apis/${group}/v1/${namespace ? `namespaces/${namespace}/` : ''}${resource}`;

export function WorkloadsPage({ namespace }: { namespace: string }) {
  const now = useNow();
  const common: Column[] = [
    { title: 'Namespace', render: (object) => object.metadata.namespace },
    { title: 'Name', render: (object) => object.metadata.name },
  ];
  const last: Column[] = [
    {
      title: 'Images',
      render: (object) =>
        (object.spec?.template?.spec?.containers ?? []).map(({ image }: { image: string }) => image).join(', '),
    },
    { title: 'Age', render: (object) => age(object.metadata.creationTimestamp, now) },
  ];
  const replicas: Column = {
    title: 'Ready',
    render: (object) => <Ready ready={object.status?.readyReplicas ?? 0} wanted={object.spec?.replicas ?? 1} />,
  };
  return (
    <>
      <ResourceTable
        title="Deployments"
        collection={useCollection(pathOf('apps', 'deployments', namespace))}
        columns={[
          ...common,
          replicas,
          { title: 'Up to date', render: (object) => object.status?.updatedReplicas ?? 0 },
          ...last,
        ]}
      />
      <ResourceTable
        title="StatefulSets"
        collection={useCollection(pathOf('apps', 'statefulsets', namespace))}
        columns={[...common, replicas, ...last]}
      />
      <ResourceTable
        title="DaemonSets"
        collection={useCollection(pathOf('apps', 'daemonsets', namespace))}
        columns={[
          ...common,
          {
            title: 'Ready',
            render: (object) => (
              <Ready ready={object.status?.numberReady ?? 0} wanted={object.status?.desiredNumberScheduled ?? 0} />
            ),
          },
          ...last,
        ]}
      />
      <ResourceTable
        title="Jobs"
        collection={useCollection(pathOf('batch', 'jobs', namespace))}
        columns={[
          ...common,
          { title: 'Status', render: (object) => <JobStatus job={object} /> },
          {
            title: 'Completions',
            render: (object) => `${object.status?.succeeded ?? 0}/${object.spec?.completions ?? 1}`,
          },
          ...last,
        ]}
      />
    </>
  );
}

function Ready({ ready, wanted }: { ready: number; wanted: number }) {
  return (
    <Badge color={ready >= wanted ? 'green' : 'yellow'} variant="light">
      {ready}/{wanted}
    </Badge>
  );
}

function JobStatus({ job }: { job: ApiObject }) {
  const conditions: readonly { type: string; status: string }[] = job.status?.conditions ?? [];
  const is = (type: string) => conditions.some((condition) => condition.type === type && condition.status === 'True');
  const [text, color] = is('Complete')
    ? ['Complete', 'gray']
    : is('Failed')
      ? ['Failed', 'red']
      : is('Suspended')
        ? ['Suspended', 'yellow']
        : ['Running', 'green'];
  return (
    <Badge color={color!} variant="light">
      {text}
    </Badge>
  );
}
