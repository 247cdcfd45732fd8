import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createSimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { newPod } from '../testing/kubelet-on-fake-api.ts';
import { type ApiWithNode, startApiWithNode } from './testing/api-with-node.ts';

const VERSIONS = ['1.36', '1.27'] as const;

describe('kubelet server on the simulated runtime', () => {
  let cluster: ApiWithNode;

  beforeAll(async () => {
    cluster = await startApiWithNode(createSimulatedRuntime({}));
    await cluster.run(
      newPod('web', '', { metadata: { annotations: { 'k8ts.dev/log': 'hello\nworld' } }, container: { stdin: true } }),
    );
  });
  afterAll(() => cluster?.stop());

  it.each(VERSIONS)('runs commands, shows logs and attaches for kubectl %s', async (version) => {
    const ran = { code: 0, stdout: 'simulated container main would run: ls -l\n' };
    expect(await cluster.kubectl(version, ['exec', 'web', '--', 'ls', '-l'])).toEqual({ ...ran, stderr: '' });
    // The command reads no input: a kubectl that is still sending when it has ended tells so in words that depend on
    // the moment ("EOF", "use of closed network connection", "Copying stdin failed").
    const given = await cluster.kubectl(version, ['exec', '-i', 'web', '--', 'ls', '-l'], 'input');
    expect(given).toMatchObject(ran);
    expect(given.stderr).toMatch(/^(?:E\d{4} .* v2\.go:\d+\] .*\n)?$/);
    const logs = await cluster.kubectl(version, ['logs', 'web']);
    expect(logs.stdout).toMatch(/^simulated container main started\n/);
    expect((await cluster.kubectl(version, ['logs', 'web', '--timestamps', '--tail=1'])).stdout).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \S/,
    );
    const follower = await cluster.spawn(version, ['logs', '-f', 'web']);
    const [first] = await once(follower.stdout!, 'data');
    expect(String(first)).toContain('simulated container main started');
    follower.kill();
  });

  it.each(VERSIONS)('forwards ports for kubectl %s', async (version) => {
    const child = await cluster.spawn(version, ['port-forward', 'web', ':80']);
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
    });
    await expect.poll(() => text, { timeout: 10_000 }).toMatch(/127\.0\.0\.1:\d+ ->/);
    const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    const answers = await Promise.all([1, 2, 3].map(async () => (await fetch(`http://127.0.0.1:${port}/`)).text()));
    expect(answers).toEqual(Array(3).fill('simulated pod default/web, port 80\n'));
    child.kill();
  });

  it('tells clients of older WebSocket protocols in their way', async () => {
    const exec = async (protocol: string) => {
      const socket = new WebSocket(
        `${cluster.api.url.replace('https', 'wss')}/api/v1/namespaces/default/pods/web/exec?stdout=true&command=id`,
        protocol ? [protocol] : [],
        {
          ca: cluster.pki.ca.cert,
          headers: { authorization: 'Bearer any' },
        },
      );
      const messages: string[] = [];
      socket.on('message', (data: Buffer) => messages.push(data.toString('latin1')));
      await once(socket, 'close');
      return messages.filter((message) => message.length > 1);
    };
    expect(await exec('v4.channel.k8s.io')).toEqual([
      '\x01simulated container main would run: id\n',
      '\x03{"metadata":{},"status":"Success"}',
    ]);
    expect(await exec('')).toEqual(['\x01simulated container main would run: id\n']);
    const encoded = await exec('v4.base64.channel.k8s.io');
    expect(encoded.map((message) => message[0] + Buffer.from(message.slice(1), 'base64').toString())).toEqual([
      '1simulated container main would run: id\n',
      '3{"metadata":{},"status":"Success"}',
    ]);
  });
});
