import { Alert, Anchor, Badge, Card, Code, Group, ScrollArea, Select, Stack, Switch, Text, Title } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { readLines } from '../api.ts';
import { age, podSummary } from '../format.ts';
import { useCollection, useNow } from '../use-collection.ts';
import { EventsTable } from './events.tsx';

const MAX_LINES = 5_000;

/** One pod: what it is, its events, and its logs as they are written. */
export function PodPage({ namespace, name }: { namespace: string; name: string }) {
  const selector = (field: string) => `?fieldSelector=${encodeURIComponent(`${field}=${name}`)}`;
  const { objects, loading, error } = useCollection(`/api/v1/namespaces/${namespace}/pods${selector('metadata.name')}`);
  const events = useCollection(`/api/v1/namespaces/${namespace}/events${selector('involvedObject.name')}`);
  const now = useNow();
  const pod = objects[0];
  if (!pod)
    return loading ? null : (
      <Alert color="red">{error?.message ?? `There is no pod ${name} in namespace ${namespace}.`}</Alert>
    );
  const { status, color, ready, restarts } = podSummary(pod);
  const containers: string[] = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(
    (container: { name: string }) => container.name,
  );
  return (
    <Stack>
      <Group>
        <Anchor href="#/pods">Pods</Anchor>
        <Title order={4}>
          {namespace}/{name}
        </Title>
        <Badge color={color} variant="light" tt="none">
          {status}
        </Badge>
      </Group>
      <Text size="sm" c="dimmed">
        {ready} ready, {restarts} restarts, IP {pod.status?.podIP ?? '-'}, node {pod.spec?.nodeName ?? '-'}, age{' '}
        {age(pod.metadata.creationTimestamp, now)}
      </Text>
      <Logs namespace={namespace} name={name} containers={containers} preferred={pod.spec?.containers?.[0]?.name} />
      <EventsTable collection={events} />
    </Stack>
  );
}

function Logs({
  namespace,
  name,
  containers,
  preferred,
}: {
  namespace: string;
  name: string;
  containers: readonly string[];
  preferred: string;
}) {
  const [container, setContainer] = useState(preferred);
  const [follow, setFollow] = useState(true);
  const [lines, setLines] = useState<readonly string[]>([]);
  const [error, setError] = useState('');
  const viewport = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const controller = new AbortController();
    setLines([]);
    setError('');
    readLines(
      `/api/v1/namespaces/${namespace}/pods/${name}/log?container=${container}&tailLines=1000&follow=${follow}`,
      controller.signal,
      (more) => setLines((known) => [...known, ...more].slice(-MAX_LINES)),
    ).catch((failure) => {
      if (!controller.signal.aborted) setError((failure as Error).message);
    });
    return () => controller.abort();
  }, [namespace, name, container, follow]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines are what scrolls
  useEffect(() => {
    if (follow) viewport.current?.scrollTo({ top: viewport.current.scrollHeight });
  }, [lines, follow]);
  return (
    <Card withBorder padding="sm">
      <Group justify="space-between" mb="xs">
        <Title order={5}>Logs</Title>
        <Group>
          <Switch label="Follow" checked={follow} onChange={(event) => setFollow(event.currentTarget.checked)} />
          <Select
            aria-label="Container"
            data={[...containers]}
            value={container}
            onChange={(value) => value && setContainer(value)}
            allowDeselect={false}
            size="xs"
          />
        </Group>
      </Group>
      {error && (
        <Alert color="red" mb="xs">
          {error}
        </Alert>
      )}
      <ScrollArea h={320} viewportRef={viewport}>
        <Code block style={{ minHeight: 300 }}>
          {lines.length ? lines.join('\n') : 'No output yet.'}
        </Code>
      </ScrollArea>
    </Card>
  );
}
