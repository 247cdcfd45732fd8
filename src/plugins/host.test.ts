import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import type { ConfigMap } from '../api/types/core.v1.gen.ts';
import { silentLogger } from '../apimachinery/logger.ts';
import type { KubeObject } from '../apimachinery/meta.ts';
import { createClient } from '../client/create-client.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { ConfigMaps, Events, ServiceAccounts } from '../client/resource-types.gen.ts';
import { createFakeTransport } from '../client/testing/fake-transport.ts';
import type { Authenticator } from '../sdk/authentication.ts';
import { CONFIGURED_BY } from '../sdk/plugin-configuration.ts';
import { PluginHost } from './host.ts';
import { PLUGINS } from './plugin-objects.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plugins-test-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function startHost(directory: string, objects: readonly KubeObject[] = []) {
  const transport = createFakeTransport({ types: [PLUGINS], objects });
  const client = createClient(transport);
  const informers = createInformerFactory(client, { logger: silentLogger });
  informers.start();
  const authenticators: Authenticator[] = [];
  const workDirectory = join(await temporary(), 'work');
  const host = new PluginHost({
    directory,
    client,
    informers,
    logger: silentLogger,
    workDirectory,
    clientFor: () => client,
    extensionPoints: {
      authentication: {
        register(authenticator) {
          authenticators.push(authenticator);
          return () => void authenticators.splice(authenticators.indexOf(authenticator), 1);
        },
      },
    },
  });
  cleanups.push(async () => {
    await host.stop();
    await informers.stop();
  });
  await host.start();
  const whoIs = async (bearerToken: string) => {
    for (const authenticator of authenticators) {
      const result = await authenticator.authenticate({ headers: {}, bearerToken });
      if (result) return result.user.name;
    }
    return undefined;
  };
  const plugin = (name: string) => transport.get(PLUGINS, name);
  return { transport, client, host, whoIs, plugin, workDirectory };
}

const example = resolve('examples/my-auth-plugin');
const configMap = async (options?: string): Promise<ConfigMap> => {
  const object = parse(await readFile(join(example, 'my-auth-plugin-config.yaml'), 'utf8')) as ConfigMap;
  const data =
    options === undefined ? object.data! : { 'auth-plugin-config': `plugin: my-auth-plugin\noptions:\n${options}` };
  return {
    ...object,
    data,
    metadata: { ...object.metadata, namespace: 'default', annotations: { [CONFIGURED_BY]: 'admin' } },
  };
};

describe('the plugin host', () => {
  it('runs the example as its ConfigMap says, from apply to delete', async () => {
    const { client, transport, whoIs, plugin } = await startHost(resolve('examples'));
    expect(plugin('my-auth-plugin')).toMatchObject({
      spec: { type: 'authentication', source: example },
      status: { phase: 'Pending', message: 'no ConfigMap configures it' },
    });
    expect(await whoIs('value1')).toBeUndefined();

    const created = await client.for(ConfigMaps).create(await configMap());
    await vi.waitFor(async () => expect(await whoIs('value1')).toBe('value2'));
    await vi.waitFor(() =>
      expect(plugin('my-auth-plugin')!.status).toMatchObject({
        phase: 'Running',
        configMap: 'default/my-auth-plugin-config',
        message: '',
      }),
    );
    expect(transport.get(ServiceAccounts, 'plugin-my-auth-plugin', 'kube-system')).toBeDefined();

    await client
      .for(ConfigMaps)
      .update({ ...created, data: (await configMap('  option1: other\n  option2: ann\n')).data! });
    await vi.waitFor(async () => expect(await whoIs('other')).toBe('ann'));
    expect(await whoIs('value1')).toBeUndefined();

    const current = transport.get(ConfigMaps, 'my-auth-plugin-config', 'default')!;
    await client.for(ConfigMaps).update({ ...current, data: (await configMap('  option1: 5\n')).data! });
    await vi.waitFor(() =>
      expect(plugin('my-auth-plugin')!.status!.message).toMatch(
        /the former configuration stays in force: options\.option1: .*; options\.option2: /,
      ),
    );
    expect(await whoIs('other')).toBe('ann');
    await vi.waitFor(() =>
      expect(transport.list(Events, 'default').map(({ reason }) => reason)).toContain('InvalidPluginOptions'),
    );

    await client.for(ConfigMaps).delete({ name: 'my-auth-plugin-config', namespace: 'default' });
    await vi.waitFor(async () => expect(await whoIs('other')).toBeUndefined());
    await vi.waitFor(() => expect(plugin('my-auth-plugin')!.status!.phase).toBe('Stopped'));
  });

  it('takes no notice of a ConfigMap that the API server does not vouch for', async () => {
    const trusted = await configMap();
    const { annotations: _, ...metadata } = trusted.metadata;
    const { client, whoIs, transport } = await startHost(example.replace(/\/[^/]+$/, ''), []);
    await client.for(ConfigMaps).create({ ...trusted, metadata });
    await new Promise((done) => setTimeout(done, 50));
    expect(await whoIs('value1')).toBeUndefined();
    const stored = transport.get(ConfigMaps, 'my-auth-plugin-config', 'default')!;
    await client
      .for(ConfigMaps)
      .update({ ...stored, metadata: { ...stored.metadata, annotations: { [CONFIGURED_BY]: 'admin' } } });
    await vi.waitFor(async () => expect(await whoIs('value1')).toBe('value2'));
    const marked = transport.get(ConfigMaps, 'my-auth-plugin-config', 'default')!;
    const { annotations: __, ...unmarked } = marked.metadata;
    await client.for(ConfigMaps).update({ ...marked, metadata: unmarked });
    await vi.waitFor(async () => expect(await whoIs('value1')).toBeUndefined());
  });

  it('is configured by what there is when it starts, loads files, folders and packages, and lists what it cannot load', async () => {
    const directory = await temporary();
    const source = (name: string) =>
      `import { definePlugin, z } from 'k8ts/sdk';\nexport default definePlugin({ name: '${name}', type: 'logging', options: z.object({}), setup() {} });\n`;
    await writeFile(join(directory, 'one.ts'), source('one'));
    await writeFile(join(directory, 'notes.md'), 'x');
    await mkdir(join(directory, 'two/src'), { recursive: true });
    await writeFile(
      join(directory, 'two/package.json'),
      JSON.stringify({ name: 'two', exports: { '.': { import: './src/main.js' } } }),
    );
    await writeFile(join(directory, 'two/src/main.js'), source('two'));
    await writeFile(join(directory, 'broken.ts'), 'export default {');
    await writeFile(join(directory, 'other.js'), 'export default 5;');
    await writeFile(join(directory, 'throws.mjs'), 'throw new Error("at import");');
    await mkdir(join(directory, 'manifests'));
    const config = await configMap();
    const former = {
      apiVersion: 'plugins.k8ts.dev/v1',
      kind: 'Plugin',
      metadata: { name: 'gone' },
      spec: { type: 'addon', source: 'x' },
    } as unknown as KubeObject;
    const { plugin, transport, workDirectory } = await startHost(directory, [
      { ...config, data: { 'a-plugin-config': 'plugin: one', 'b-plugin-config': 'plugin: none' } } as KubeObject,
      former,
    ]);
    expect(
      transport
        .list(PLUGINS)
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(['broken', 'one', 'other', 'throws', 'two']);
    expect(plugin('one')!.status).toMatchObject({ phase: 'Running' });
    expect(plugin('two')!.status).toMatchObject({ phase: 'Pending', source: join(directory, 'two') });
    expect(plugin('broken')!.status!.message).toMatch(/can't be compiled: .*broken\.ts:1:\d+: /);
    expect(plugin('other')!.status!.message).toMatch(/its default export was not made by definePlugin/);
    expect(plugin('throws')!.status!.message).toMatch(/can't be imported: at import/);
    await vi.waitFor(() =>
      expect(transport.list(Events, 'default').map(({ reason }) => reason)).toContain('UnknownPlugin'),
    );
    expect((await readdir(workDirectory)).every((name) => /^(plugin-.*|sdk)\.mjs$/.test(name))).toBe(true);
  });
});
