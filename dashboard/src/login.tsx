import {
  Alert,
  Button,
  Card,
  Center,
  FileButton,
  Group,
  PasswordInput,
  Stack,
  Tabs,
  Text,
  Textarea,
  Title,
} from '@mantine/core';
import { useState } from 'react';
import { login, type User } from './api.ts';

/** Log in with a token, or with the identity in a kubeconfig. */
export function Login({ onLogin }: { onLogin: (user: User) => void }) {
  const [token, setToken] = useState('');
  const [kubeconfig, setKubeconfig] = useState('');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (credentials: Parameters<typeof login>[0]) => {
    setBusy(true);
    setError('');
    try {
      onLogin(await login(credentials));
    } catch (failure) {
      setError((failure as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Center mih="100vh" p="md">
      <Card withBorder shadow="sm" w={480} padding="xl">
        <Stack>
          <div>
            <Title order={2}>k8ts</Title>
            <Text c="dimmed" size="sm">
              The dashboard acts as you and nothing more. Your credentials stay in its memory until you log out.
            </Text>
          </div>
          <Tabs defaultValue="kubeconfig">
            <Tabs.List mb="md">
              <Tabs.Tab value="kubeconfig">Kubeconfig</Tabs.Tab>
              <Tabs.Tab value="token">Token</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="kubeconfig">
              <form
                onSubmit={(event) => {
                  event.preventDefault();
                  void submit({ kubeconfig });
                }}
              >
                <Stack>
                  <Textarea
                    label="Kubeconfig"
                    description="Paste it or choose the file that `k8ts up` names"
                    autosize
                    minRows={5}
                    maxRows={10}
                    value={kubeconfig}
                    onChange={(event) => setKubeconfig(event.currentTarget.value)}
                    styles={{ input: { fontFamily: 'monospace', fontSize: 12 } }}
                  />
                  <Group justify="space-between">
                    <FileButton onChange={(file) => void file?.text().then(setKubeconfig)}>
                      {(props) => (
                        <Button variant="default" {...props}>
                          Choose a file
                        </Button>
                      )}
                    </FileButton>
                    <Button type="submit" loading={busy} disabled={!kubeconfig.trim()}>
                      Log in
                    </Button>
                  </Group>
                </Stack>
              </form>
            </Tabs.Panel>
            <Tabs.Panel value="token">
              <form
                onSubmit={(event) => {
                  event.preventDefault();
                  void submit({ token });
                }}
              >
                <Stack>
                  <PasswordInput
                    label="Token"
                    description="E.g. of `kubectl create token NAME`"
                    value={token}
                    onChange={(event) => setToken(event.currentTarget.value)}
                  />
                  <Group justify="flex-end">
                    <Button type="submit" loading={busy} disabled={!token.trim()}>
                      Log in
                    </Button>
                  </Group>
                </Stack>
              </form>
            </Tabs.Panel>
          </Tabs>
          {error && (
            <Alert color="red" title="That did not work">
              {error}
            </Alert>
          )}
        </Stack>
      </Card>
    </Center>
  );
}
