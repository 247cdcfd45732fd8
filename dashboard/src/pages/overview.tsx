import { Alert, Badge, Card, Group, Progress, SimpleGrid, Stack, Table, Text, Title, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { getJson } from '../api.ts';
import { useCollection } from '../use-collection.ts';

interface Timeline {
  readonly startedAt: number;
  readonly phases: readonly {
    readonly phase: number;
    readonly name: string;
    readonly ready: boolean;
    readonly ms?: number;
  }[];
  readonly components: readonly {
    readonly component: string;
    readonly phase: number;
    readonly state: string;
    readonly startedAt?: number;
    readonly ms?: number;
    readonly message?: string;
  }[];
}

const COLORS: Readonly<Record<string, string>> = {
  ready: 'green',
  skipped: 'gray',
  failed: 'red',
  starting: 'yellow',
  waiting: 'gray',
  stopping: 'yellow',
  stopped: 'gray',
};

/** The five phases, what started when, and how much there is. */
export function OverviewPage() {
  const [timeline, setTimeline] = useState<Timeline | undefined>();
  const [error, setError] = useState('');
  useEffect(() => {
    const load = () =>
      getJson<Timeline>('/k8ts/timeline').then(
        (next) => {
          setTimeline(next);
          setError('');
        },
        (failure: Error) => setError(failure.message),
      );
    void load();
    const timer = setInterval(load, 5_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <Stack>
      <Counts />
      {error && <Alert color="yellow">The boot timeline is not shown: {error}</Alert>}
      {timeline && <Phases timeline={timeline} />}
    </Stack>
  );
}

function Counts() {
  const counts = [
    { label: 'Nodes', href: '#/nodes', collection: useCollection('/api/v1/nodes') },
    { label: 'Pods', href: '#/pods', collection: useCollection('/api/v1/pods') },
    { label: 'Deployments', href: '#/workloads', collection: useCollection('/apis/apps/v1/deployments') },
    { label: 'Services', href: '#/overview', collection: useCollection('/api/v1/services') },
  ];
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }}>
      {counts.map(({ label, href, collection }) => (
        <Card key={label} withBorder component="a" href={href}>
          <Text size="sm" c="dimmed">
            {label}
          </Text>
          <Title order={2}>{collection.error ? '–' : collection.objects.length}</Title>
        </Card>
      ))}
    </SimpleGrid>
  );
}

function Phases({ timeline }: { timeline: Timeline }) {
  const total = Math.max(
    1,
    ...timeline.components.map(
      ({ startedAt, ms }) => (startedAt ?? timeline.startedAt) + (ms ?? 0) - timeline.startedAt,
    ),
  );
  return (
    <Card withBorder>
      <Title order={4} mb="sm">
        Five phases
      </Title>
      <Table>
        <Table.Tbody>
          {timeline.phases.flatMap((phase) => [
            <Table.Tr key={phase.phase}>
              <Table.Td>
                <Group gap="xs">
                  <Badge circle color={phase.ready ? 'green' : 'yellow'}>
                    {phase.phase}
                  </Badge>
                  <Text fw={600}>{phase.name}</Text>
                </Group>
              </Table.Td>
              <Table.Td />
              <Table.Td ta="right">{phase.ready ? `${phase.ms} ms` : ''}</Table.Td>
            </Table.Tr>,
            ...timeline.components
              .filter((component) => component.phase === phase.phase)
              .map((component) => (
                <Table.Tr key={component.component}>
                  <Table.Td pl={48}>
                    {component.component}{' '}
                    {component.state !== 'ready' && (
                      <Tooltip label={component.message ?? component.state}>
                        <Badge size="xs" variant="light" color={COLORS[component.state] ?? 'gray'}>
                          {component.state}
                        </Badge>
                      </Tooltip>
                    )}
                  </Table.Td>
                  <Table.Td w="50%">
                    {component.startedAt !== undefined && (
                      <Progress.Root size="sm">
                        <Progress.Section
                          value={((component.startedAt - timeline.startedAt) / total) * 100}
                          color="transparent"
                        />
                        <Progress.Section
                          value={Math.max(0.5, ((component.ms ?? 0) / total) * 100)}
                          color={COLORS[component.state] ?? 'gray'}
                        />
                      </Progress.Root>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{component.ms === undefined ? '' : `${component.ms} ms`}</Table.Td>
                </Table.Tr>
              )),
          ])}
        </Table.Tbody>
      </Table>
    </Card>
  );
}
