import { AppShell, Burger, Button, Center, Group, Loader, NavLink, Select, Text, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import { currentUser, logout, type User } from './api.ts';
import { Login } from './login.tsx';
import { EventsPage } from './pages/events.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { PodPage } from './pages/pod.tsx';
import { PodsPage } from './pages/pods.tsx';
import { WorkloadsPage } from './pages/workloads.tsx';
import { useCollection } from './use-collection.ts';

const PAGES = { overview: 'Overview', nodes: 'Nodes', workloads: 'Workloads', pods: 'Pods', events: 'Events' } as const;

export function App() {
  const [user, setUser] = useState<User | undefined | null>(null);
  useEffect(() => {
    void currentUser().then(setUser);
  }, []);
  if (user === null) {
    return (
      <Center mih="100vh">
        <Loader />
      </Center>
    );
  }
  if (!user) return <Login onLogin={setUser} />;
  return <Shell user={user} onLogout={() => void logout().then(() => setUser(undefined))} />;
}

/** The page is in the address (`#/pods/shop/web-1`), so that it can be sent to a colleague and the back button works. */
function useRoute(): readonly string[] {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const onChange = () => setHash(window.location.hash);
    window.addEventListener('hashchange', onChange);
    return () => window.removeEventListener('hashchange', onChange);
  }, []);
  return hash.replace(/^#\/?/, '').split('/').filter(Boolean);
}

function Shell({ user, onLogout }: { user: User; onLogout: () => void }) {
  const [page = 'overview', ...rest] = useRoute();
  const [namespace, setNamespace] = useState('');
  const [opened, setOpened] = useState(false);
  const namespaces = useCollection('/api/v1/namespaces');
  const names = namespaces.objects.map((object) => object.metadata.name).sort();
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 200, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group wrap="nowrap">
            <Burger
              opened={opened}
              onClick={() => setOpened(!opened)}
              hiddenFrom="sm"
              size="sm"
              aria-label="Navigation"
            />
            <Title order={3}>k8ts</Title>
            <Select
              aria-label="Namespace"
              w={200}
              data={[{ value: '', label: 'All namespaces' }, ...names]}
              value={namespace}
              onChange={(value) => setNamespace(value ?? '')}
              searchable
              allowDeselect={false}
            />
          </Group>
          <Group wrap="nowrap">
            <Text size="sm" c="dimmed" visibleFrom="sm">
              {user.username}
            </Text>
            <Button size="xs" variant="default" onClick={onLogout}>
              Log out
            </Button>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs">
        {Object.entries(PAGES).map(([key, label]) => (
          <NavLink key={key} label={label} href={`#/${key}`} active={page === key} onClick={() => setOpened(false)} />
        ))}
      </AppShell.Navbar>
      <AppShell.Main>
        {page === 'nodes' ? (
          <NodesPage />
        ) : page === 'workloads' ? (
          <WorkloadsPage namespace={namespace} />
        ) : page === 'pods' && rest[0] && rest[1] ? (
          <PodPage key={rest.join('/')} namespace={rest[0]} name={rest[1]} />
        ) : page === 'pods' ? (
          <PodsPage namespace={namespace} />
        ) : page === 'events' ? (
          <EventsPage namespace={namespace} />
        ) : (
          <OverviewPage />
        )}
      </AppShell.Main>
    </AppShell>
  );
}
