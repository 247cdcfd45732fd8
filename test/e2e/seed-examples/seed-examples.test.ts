import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { type CommandResult, type Kubectl, runCommand } from '../../support/kubectl.ts';
import { root } from '../../support/tools.ts';

const CONFIGURATION = join(root, 'examples', 'my-auth-plugin', 'my-auth-plugin-config.yaml');
const VOLUME = join(root, 'examples', 'persistent-volume', 'my-pv.yaml');

describe('seed examples', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    embedded = await startEmbedded({ plugins: join(root, 'examples') });
    kubectl = await embedded.kubectl();
  });
  afterAll(() => embedded.stop());

  /** With a bearer token and nothing else. */
  const withToken = (token: string): Promise<CommandResult> => {
    const ca = join(embedded.folder, 'ca.crt');
    writeFileSync(ca, embedded.identity.ca);
    return runCommand(kubectl.path, [
      '--kubeconfig',
      '/dev/null',
      '--server',
      embedded.server,
      '--certificate-authority',
      ca,
      '--token',
      token,
      'auth',
      'whoami',
      '-o',
      'jsonpath={.status.userInfo.username}',
    ]);
  };
  const configured = (option1: unknown, option2: unknown) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'my-auth-plugin-config' },
    data: { 'auth-plugin-config': `plugin: my-auth-plugin\noptions: ${JSON.stringify({ option1, option2 })}\n` },
  });
  const plugin = () =>
    kubectl.get<{ status: { phase: string; configMap?: string; message?: string } }>('plugin my-auth-plugin');

  describe('the persistent volume', () => {
    it('is stored as written, and becomes available', async () => {
      expect(await kubectl(['apply', '-f', VOLUME])).toBe('persistentvolume/my-pv created\n');
      await kubectl(['wait', 'pv/my-pv', '--for=jsonpath={.status.phase}=Available', '--timeout=10s']);
      const stored = await kubectl.get<{ spec: object }>('pv my-pv');
      expect(stored.spec).toEqual(parse(readFileSync(VOLUME, 'utf8')).spec);
      expect(await kubectl('get pv my-pv --no-headers')).toMatch(
        /^my-pv +1Gi +RWO +Retain +Available +my-storage-class /,
      );
      expect(await kubectl(['apply', '-f', VOLUME])).toBe('persistentvolume/my-pv unchanged\n');
    });
  });

  describe('the plugin configuration', () => {
    it('lists the plugin before anything configures it', async () => {
      expect(await kubectl('get plugins --no-headers')).toMatch(
        /^my-auth-plugin +authentication +\S*my-auth-plugin +Pending /,
      );
      expect((await withToken('value1')).stderr).toContain('Unauthorized');
    });

    it('is stored as written, and its user is let in at once', async () => {
      expect(await kubectl(['apply', '-f', CONFIGURATION])).toBe('configmap/my-auth-plugin-config created\n');
      await eventually(async () => expect(await withToken('value1')).toMatchObject({ code: 0, stdout: 'value2' }), {
        timeoutMs: 5_000,
      });
      // The token goes before the kubeconfig's certificate.
      expect(await kubectl('auth whoami --token=value1 -o jsonpath={.status.userInfo.username}')).toBe('value2');
      const stored = await kubectl.get<{ data: object }>('configmap my-auth-plugin-config');
      expect(stored.data).toEqual(parse(readFileSync(CONFIGURATION, 'utf8')).data);
      expect(await kubectl('get plugins --no-headers')).toMatch(
        /^my-auth-plugin +authentication +\S+ +Running +default\/my-auth-plugin-config /,
      );
    });

    it('takes new options at once', async () => {
      await kubectl.apply(configured('other-token', 'someone'));
      await eventually(async () => expect((await withToken('other-token')).stdout).toBe('someone'), {
        timeoutMs: 5_000,
      });
      expect((await withToken('value1')).stderr).toContain('Unauthorized');
    });

    it('keeps what runs when the options are wrong, and says so', async () => {
      await kubectl.apply(configured('', 5));
      await eventually(
        async () => {
          const { status } = await plugin();
          expect(status).toMatchObject({ phase: 'Running', configMap: 'default/my-auth-plugin-config' });
          expect(status.message).toMatch(/option1/);
          expect(status.message).toMatch(/option2/);
        },
        { timeoutMs: 5_000 },
      );
      await eventually(
        async () =>
          expect(await kubectl('describe configmap my-auth-plugin-config')).toMatch(
            /Warning +InvalidPluginOptions .*plugin my-auth-plugin: .*option2/,
          ),
        { timeoutMs: 5_000 },
      );
      expect((await withToken('other-token')).stdout).toBe('someone');
    });

    it('stops the plugin when it is deleted', async () => {
      await kubectl('delete configmap my-auth-plugin-config');
      await eventually(async () => expect((await withToken('other-token')).stderr).toContain('Unauthorized'), {
        timeoutMs: 5_000,
      });
      expect((await kubectl.run('auth whoami --token=other-token')).stderr).toContain('Unauthorized');
      await eventually(async () => expect((await plugin()).status.phase).toBe('Stopped'), { timeoutMs: 5_000 });
    });

    it('is plain data when its writer may not configure the plugin', async () => {
      await kubectl('create role writer --verb=create,get,patch,update,delete --resource=configmaps');
      await kubectl('create rolebinding writer --role=writer --user=bob');
      const input = JSON.stringify(configured('value1', 'system:admin'));
      const created = await kubectl.run(['create', '--as', 'bob', '-f', '-'], { input });
      expect(created.code, created.stderr).toBe(0);
      expect(created.stderr).toMatch(/^Warning: .*my-auth-plugin/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await withToken('value1')).stderr).toContain('Unauthorized');
      expect((await plugin()).status.phase).toBe('Stopped');
      await kubectl('delete configmap my-auth-plugin-config --as bob');
    });

    it('works for a user who was given the verb', async () => {
      await kubectl.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'configurer' },
        rules: [
          {
            apiGroups: ['plugins.k8ts.dev'],
            resources: ['plugins'],
            resourceNames: ['my-auth-plugin'],
            verbs: ['configure'],
          },
        ],
      });
      await kubectl('create clusterrolebinding configurer --clusterrole=configurer --user=bob');
      const created = await kubectl.run(['create', '--as', 'bob', '-f', '-'], {
        input: JSON.stringify(configured('value1', 'value2')),
      });
      expect(created.stderr).toBe('');
      await eventually(async () => expect((await withToken('value1')).stdout).toBe('value2'), { timeoutMs: 5_000 });
    });
  });
});
