import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { noContainers, startTestNode, type TestNode } from '../testing/containerd-node.ts';
import { newPod } from '../testing/kubelet-on-fake-api.ts';
import { type ApiWithNode, startApiWithNode } from './testing/api-with-node.ts';

const skip = noContainers();
const VERSIONS = ['1.36', '1.27'] as const;

describe.skipIf(skip)(`kubelet server on containerd${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  let cluster: ApiWithNode;

  beforeAll(async () => {
    node = await startTestNode('10.202.0.0/24');
    cluster = await startApiWithNode(node.runtime, node.dataDir);
  }, 60_000);

  afterAll(async () => {
    await cluster?.stop();
    await node?.stop();
  }, 30_000);

  it.each(VERSIONS)('shows logs and runs commands for kubectl %s', async (version) => {
    const name = `web-${version.replace('.', '-')}`;
    await cluster.run(newPod(name, 'echo hello; sleep 0.1; echo oops >&2; sleep 300'));
    await expect
      .poll(() => cluster.kubectl(version, ['logs', name]), { timeout: 5000 })
      .toEqual({ code: 0, stdout: 'hello\noops\n', stderr: '' });
    const exec = await cluster.kubectl(version, ['exec', name, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(exec.stdout).toBe('out\n');
    expect(exec.stderr).toBe('err\ncommand terminated with exit code 3\n');
    expect(exec.code).toBe(3);
  });

  it.each(VERSIONS)('carries megabytes through stdin and stdout, and half-closes, for kubectl %s', async (version) => {
    const name = `pipe-${version.replace('.', '-')}`;
    await cluster.run(newPod(name, 'sleep 300'));
    const input = `${'x'.repeat(1023)}\n`;
    const big = input.repeat(8 * 1024);
    const through = await cluster.kubectl(version, ['exec', '-i', name, '--', 'cat'], big);
    expect(through.stderr).toBe('');
    expect(through.stdout.length).toBe(big.length);
    expect(through.code).toBe(0);
    const counted = await cluster.kubectl(version, ['exec', '-i', name, '--', 'wc', '-c'], big);
    expect(counted.stdout.trim()).toBe(String(big.length));
  });

  it('gives a terminal that is resized, over WebSocket', async () => {
    await cluster.run(newPod('terminal', 'sleep 300'));
    const query = ['sh', '-c', 'read go; busybox stty size; test -t 0 && echo terminal; exit 4']
      .map((part) => `command=${encodeURIComponent(part)}`)
      .join('&');
    const socket = new WebSocket(
      `${cluster.api.url.replace('https', 'wss')}/api/v1/namespaces/default/pods/terminal/exec?stdin=true&stdout=true&tty=true&${query}`,
      ['v5.channel.k8s.io'],
      {
        ca: cluster.pki.ca.cert,
        headers: { authorization: 'Bearer any' },
      },
    );
    let output = '';
    let status = '';
    socket.on('message', (data: Buffer) => {
      if (data[0] === 3) status += data.toString('utf8', 1);
      else output += data.toString('utf8', 1);
    });
    await once(socket, 'open');
    socket.send('\x04{"Width":123,"Height":45}');
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.send('\x00go\n');
    const [code] = await once(socket, 'close');
    expect(code).toBe(1000);
    expect(output.replaceAll('\r', '')).toBe('go\n45 123\nterminal\n');
    expect(JSON.parse(status)).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '4' }] },
    });
  });

  it('forwards a port over a pair of WebSocket channels', async () => {
    await cluster.run(newPod('channels', 'mkdir /tmp/w; echo page > /tmp/w/index.html; httpd -f -p 8080 -h /tmp/w'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const socket = new WebSocket(
      `${cluster.api.url.replace('https', 'wss')}/api/v1/namespaces/default/pods/channels/portforward?ports=8080`,
      ['v4.channel.k8s.io'],
      {
        ca: cluster.pki.ca.cert,
        headers: { authorization: 'Bearer any' },
      },
    );
    const channels = [Buffer.alloc(0), Buffer.alloc(0)];
    socket.on('message', (data: Buffer) => {
      channels[data[0]!] = Buffer.concat([channels[data[0]!]!, data.subarray(1)]);
    });
    await once(socket, 'open');
    socket.send('\x00GET /index.html HTTP/1.0\r\n\r\n');
    // The server in the pod ends the connection after its answer.
    await once(socket, 'close');
    expect(channels[0]?.toString('latin1', 2)).toMatch(/^HTTP\/1\.\d 200 [\s\S]*page\n$/);
    expect([...channels[0]!.subarray(0, 2), ...channels[1]!]).toEqual([0x90, 0x1f, 0x90, 0x1f]);
  });

  it.each(VERSIONS)('forwards ports for kubectl %s', async (version) => {
    const name = `http-${version.replace('.', '-')}`;
    await cluster.run(
      newPod(
        name,
        'mkdir -p /tmp/w; dd if=/dev/zero of=/tmp/w/big bs=1024 count=5000 2>/dev/null; echo page > /tmp/w/index.html; httpd -f -p 8080 -h /tmp/w',
      ),
    );
    const child = await cluster.spawn(version, ['port-forward', name, ':8080']);
    const port = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout?.on('data', (chunk) => {
        text += chunk;
        const match = /127\.0\.0\.1:(\d+) ->/.exec(text);
        if (match) resolve(match[1]!);
      });
      child.stderr?.on('data', (chunk) => {
        text += chunk;
      });
      child.once('exit', () => reject(new Error(text)));
    });
    const get = async (path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).arrayBuffer();
    await expect.poll(async () => Buffer.from(await get('/index.html')).toString(), { timeout: 5000 }).toBe('page\n');
    const sizes = await Promise.all([1, 2, 3, 4, 5].map(async () => (await get('/big')).byteLength));
    expect(sizes).toEqual(Array(5).fill(5000 * 1024));
    child.kill();
  });

  it.each(VERSIONS)('follows a log to the end of its container for kubectl %s', async (version) => {
    const name = `follow-${version.replace('.', '-')}`;
    await cluster.run(newPod(name, 'for i in 1 2 3 4 5 6; do echo line $i; sleep 0.3; done'));
    const followed = await cluster.kubectl(version, ['logs', '-f', name]);
    expect(followed).toEqual({ code: 0, stderr: '', stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n' });
    const tail = await cluster.kubectl(version, ['logs', '--tail=2', '--timestamps', name]);
    expect(tail.stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ line 5\n\S+ line 6\n$/);
    expect((await cluster.kubectl(version, ['logs', '--limit-bytes=9', name])).stdout).toBe('line 1\nli');
    expect((await cluster.kubectl(version, ['logs', '--previous', name])).stderr).toBe(
      `Error from server (BadRequest): previous terminated container "main" in pod "${name}" not found\n`,
    );
  });

  it.each(VERSIONS)('attaches to the container for kubectl %s', async (version) => {
    const name = `attach-${version.replace('.', '-')}`;
    await cluster.run(
      newPod(name, 'read line; echo got $line; sleep 0.5', { container: { stdin: true, stdinOnce: true } }),
    );
    const attached = await cluster.kubectl(version, ['attach', '-i', name], 'something\n');
    expect(attached.stdout).toBe('got something\n');
  });

  it('follows upstream in what it refuses', async () => {
    await cluster.api.client.request({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods',
      body: newPod('nowhere', 'true', { spec: { nodeName: '' } }),
    });
    await cluster.api.client.request({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods',
      body: newPod('pulling', 'true', { container: { image: 'localhost:1/none:1' } }),
    });
    await cluster.run(
      newPod('two', '', {
        spec: {
          containers: ['a', 'b'].map((name) => ({ name, image: 'k8ts.test/busybox:1', command: ['sleep', '300'] })),
        },
      }),
    );
    const words = async (...args: string[]) => (await cluster.kubectl('1.36', args)).stderr;
    expect(await words('logs', 'none')).toBe(
      'error: error from server (NotFound): pods "none" not found in namespace "default"\n',
    );
    expect(await words('exec', 'nowhere', '--', 'true')).toMatch(/: pod nowhere does not have a host assigned\n$/);
    expect(await words('logs', 'two', '-c', 'x')).toBe('error: container x is not valid for pod two out of: a, b\n');
    const direct = await cluster.kubectl('1.36', ['get', '--raw', '/api/v1/namespaces/default/pods/two/log']);
    expect(direct.stderr).toBe(
      'Error from server (BadRequest): a container name must be specified for pod two, choose one of: [a b]\n',
    );
    await expect
      .poll(() => words('logs', 'pulling'), { timeout: 10_000 })
      .toMatch(
        /^Error from server \(BadRequest\): container "main" in pod "pulling" is waiting to start: (image can't be pulled|trying and failing to pull image)\n$/,
      );
    expect((await cluster.kubectl('1.36', ['exec', 'two', '-c', 'a', '--', 'nonesuch'])).code).not.toBe(0);
  });

  it('shows statistics and metrics through the node proxy', async () => {
    const raw = async (path: string) =>
      (await cluster.kubectl('1.36', ['get', '--raw', `/api/v1/nodes/node1/proxy${path}`])).stdout;
    const summary = JSON.parse(await raw('/stats/summary'));
    expect(summary.node.memory.workingSetBytes).toBeGreaterThan(0);
    expect(
      summary.pods.find((pod: { podRef: { name: string } }) => pod.podRef.name === 'two').containers[0].memory
        .workingSetBytes,
    ).toBeGreaterThan(0);
    expect(await raw('/metrics/resource')).toMatch(
      /container_cpu_usage_seconds_total\{container="a",namespace="default",pod="two"\} \d/,
    );
    expect(await raw('/metrics/cadvisor')).toContain('container_memory_working_set_bytes{container="a"');
    expect(await raw('/healthz')).toBe('ok');
    expect(JSON.parse(await raw('/pods')).kind).toBe('PodList');
  });
});
