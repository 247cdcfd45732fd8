import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Nodes } from '../client/resource-types.gen.ts';
import { noContainers, startTestNode, type TestNode } from './testing/containerd-node.ts';
import { type KubeletOnFakeApi, newPod, startKubelet } from './testing/kubelet-on-fake-api.ts';

const skip = noContainers();
const logOf = (node: TestNode, pod: { metadata: { name: string; uid?: string } }, container = 'main', restarts = 0) =>
  readFileSync(
    join(node.dataDir, 'logs/pods', `default_${pod.metadata.name}_${pod.metadata.uid}`, container, `${restarts}.log`),
    'utf8',
  )
    .split('\n')
    .map((line) => line.split(' ').slice(3).join(' '))
    .join('\n');

describe.skipIf(skip)(`kubelet on containerd${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  let k: KubeletOnFakeApi;

  beforeAll(async () => {
    node = await startTestNode('10.201.0.0/24');
    k = await startKubelet({ runtime: node.runtime, dataDir: node.dataDir });
    await k.kubelet.whenReady();
  }, 30_000);

  afterAll(async () => {
    await k?.kubelet.stop();
    await k?.kubelet.removePods();
    await node?.stop();
  }, 30_000);

  it('registers a ready node', () => {
    const object = k.api.get(Nodes, 'node1');
    expect(object?.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'True',
      reason: 'KubeletReady',
    });
    expect(object?.status?.nodeInfo?.kubeletVersion).toBe('v1.36.0');
  });

  it('runs a pod from Pending over Running to Succeeded, and leaves nothing of it', async () => {
    const pod = k.api.put(newPod('once', 'echo hello; sleep 1; echo bye > /dev/termination-log'));
    const running = await k.phase('once', 'Running');
    expect(running.status?.podIP).toMatch(/^10\.201\.0\./);
    const done = await k.phase('once', 'Succeeded');
    expect(done.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      message: 'bye\n',
    });
    expect(logOf(node, pod)).toContain('hello');
    expect(k.events('once').map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['Pulled', 'Created', 'Started']),
    );
    k.delete('once');
    await k.gone('once');
    await expect
      .poll(() => existsSync(join(node.dataDir, 'kubelet/pods', pod.metadata.uid ?? '')), { timeout: 5000 })
      .toBe(false);
    expect(readdirSync(join(node.dataDir, 'logs/pods'))).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(pod.metadata.uid);
    expect(execFileSync('find', ['/sys/fs/cgroup', '-name', `pod${pod.metadata.uid}`]).toString()).toBe('');
  });

  it('gives a container its environment, its names and its user', async () => {
    k.api.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { colour: 'blue', 'a.b': 'dot' },
    });
    k.api.put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'sec', namespace: 'default' },
      data: { password: Buffer.from('hunter2').toString('base64') },
    });
    k.api.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'my-db', namespace: 'default' },
      spec: { clusterIP: '10.96.1.1', ports: [{ port: 5432 }] },
    } as never);
    const script =
      'env; id; hostname; cat /etc/resolv.conf /etc/hosts; cat /proc/self/status | grep -i -E "NoNewPrivs|Seccomp:"; touch /x || echo readonly';
    const pod = k.api.put(
      newPod('env', script, {
        metadata: { labels: { app: 'web' } },
        spec: {
          hostname: 'web0',
          subdomain: 'web',
          hostAliases: [{ ip: '1.2.3.4', hostnames: ['foo.remote'] }],
          securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
        },
        container: {
          envFrom: [{ prefix: 'C_', configMapRef: { name: 'conf' } }],
          env: [
            { name: 'A', value: 'one' },
            { name: 'B', value: '$(A)-$(C_colour)-$$(A)-$(NONE)' },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
            { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'sec', key: 'password' } } },
            { name: 'MAYBE', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
          ],
          resources: { limits: { memory: '64Mi', cpu: '100m' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      }),
    );
    const done = await k.phase('env', 'Succeeded');
    const log = logOf(node, pod);
    for (const line of [
      'A=one',
      'B=one-blue-$(A)-$(NONE)',
      'C_colour=blue',
      'POD=env',
      `IP=${done.status?.podIP}`,
      'APP=web',
      'LIMIT=64',
      'PASSWORD=hunter2',
      'MY_DB_SERVICE_HOST=10.96.1.1',
      'MY_DB_PORT_5432_TCP=tcp://10.96.1.1:5432',
    ])
      expect(log).toContain(line);
    expect(log).not.toContain('MAYBE');
    expect(log).toMatch(/uid=1000(\(user\))? gid=1000(\(user\))? groups=.*2000/);
    expect(log).toContain('web0\n');
    expect(log).toContain('nameserver 10.96.0.10');
    expect(log).toContain('search default.svc.cluster.local svc.cluster.local cluster.local');
    expect(log).toContain('ndots:5');
    expect(log).toContain(`${done.status?.podIP}\tweb0.web.default.svc.cluster.local\tweb0`);
    expect(log).toContain('1.2.3.4\tfoo.remote');
    expect(log).toMatch(/NoNewPrivs:\t1/);
    expect(log).toMatch(/Seccomp:\t2/);
    expect(log).toContain('readonly');
    expect(done.status?.qosClass).toBe('Guaranteed');
  });

  it('runs init containers in order, then sidecars beside the main container', async () => {
    const image = newPod('x', '').spec.containers[0]?.image;
    const pod = k.api.put(
      newPod('inits', 'cat /shared/log; sleep 1', {
        spec: {
          volumes: [{ name: 'shared', emptyDir: {} }],
          initContainers: [
            {
              name: 'first',
              image,
              command: ['/bin/sh', '-c', 'echo first > /shared/log'],
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
            },
            {
              name: 'side',
              image,
              restartPolicy: 'Always',
              command: [
                '/bin/sh',
                '-c',
                'echo side >> /shared/log; trap "exit 0" TERM; while true; do sleep 0.1; done',
              ],
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
              startupProbe: { exec: { command: ['/bin/grep', 'side', '/shared/log'] }, periodSeconds: 1 },
            },
            {
              name: 'last',
              image,
              command: ['/bin/sh', '-c', 'echo last >> /shared/log'],
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
            },
          ],
        },
        container: { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] },
      }),
    );
    const running = await k.phase('inits', 'Running');
    expect(running.status?.conditions?.find(({ type }) => type === 'Initialized')?.status).toBe('True');
    expect(running.status?.initContainerStatuses?.map(({ ready }) => ready)).toEqual([true, true, true]);
    await k.phase('inits', 'Succeeded');
    expect(logOf(node, pod)).toContain('first\nside\nlast\n');
  });

  it('backs off a crashing container and tells so', async () => {
    k.api.put(
      newPod('crash', 'echo dying; exit 3', {
        spec: { restartPolicy: 'Always' },
        container: { terminationMessagePolicy: 'FallbackToLogsOnError' },
      }),
    );
    const waiting = await k.when(
      'crash',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    const [status] = waiting.status?.containerStatuses ?? [];
    expect(waiting.status?.phase).toBe('Running');
    expect(status?.state?.waiting?.message).toBe(
      `back-off 10s restarting failed container=main pod=crash_default(${waiting.metadata.uid})`,
    );
    expect(status?.restartCount).toBe(1);
    expect(status?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error', message: 'dying\n' });
    await k.when('crash', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 2, 20_000);
    k.delete('crash', 0);
    await k.gone('crash');
  }, 40_000);

  it('names why a container can not start, and starts it when the reason goes', async () => {
    k.api.put(
      newPod('config', 'true', {
        container: { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'late', key: 'x' } } }] },
      }),
    );
    k.api.put(newPod('image', 'true', { container: { image: 'localhost:1/none:1' } }));
    k.api.put(newPod('never', 'true', { container: { image: 'none', imagePullPolicy: 'Never' } }));
    k.api.put(newPod('badname', 'true', { container: { image: 'UPPER//x' } }));
    k.api.put(newPod('badcmd', 'true', { container: { command: ['/nonexistent'] } }));
    k.api.put(newPod('root', 'true', { container: { securityContext: { runAsNonRoot: true } } }));
    const reason = (name: string, wanted: string) =>
      k.when(name, ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === wanted);
    const config = await reason('config', 'CreateContainerConfigError');
    expect(config.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmaps "late" not found');
    await reason('image', 'ErrImagePull');
    await reason('image', 'ImagePullBackOff');
    await reason('never', 'ErrImageNeverPull');
    await reason('badname', 'InvalidImageName');
    await reason('root', 'CreateContainerConfigError');
    await k.when('badcmd', ({ status }) =>
      ['RunContainerError', 'StartError'].includes(
        status?.containerStatuses?.[0]?.state?.waiting?.reason ??
          status?.containerStatuses?.[0]?.state?.terminated?.reason ??
          '',
      ),
    );
    k.api.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late', namespace: 'default' },
      data: { x: 'y' },
    });
    await k.phase('config', 'Succeeded');
    for (const name of ['image', 'never', 'badname', 'root']) {
      k.delete(name);
      await k.gone(name);
    }
  }, 30_000);

  it('ends a pod within its grace period: preStop first, SIGKILL last', async () => {
    const pod = k.api.put(
      newPod('stubborn', 'trap "echo term" TERM; while true; do sleep 0.2; done', {
        spec: { terminationGracePeriodSeconds: 3 },
        container: {
          lifecycle: {
            preStop: { exec: { command: ['/bin/sh', '-c', 'echo prestop > /proc/1/fd/1; sleep 1'] } },
            postStart: { exec: { command: ['/bin/sh', '-c', 'echo poststart > /proc/1/fd/1'] } },
          },
        },
      }),
    );
    await k.phase('stubborn', 'Running');
    const begun = Date.now();
    let log = '';
    const reader = setInterval(() => {
      try {
        log = logOf(node, pod);
      } catch {
        // removed
      }
    }, 20);
    k.delete('stubborn');
    await k.gone('stubborn');
    clearInterval(reader);
    expect(Date.now() - begun).toBeGreaterThan(2500);
    expect(Date.now() - begun).toBeLessThan(8000);
    expect(log).toMatch(/poststart[\s\S]*prestop[\s\S]*term/);
    expect(k.events('stubborn').map(({ message }) => message)).toContain('Stopping container main');
  }, 20_000);

  it('shortens the wait when a second deletion asks for it', async () => {
    k.api.put(
      newPod('slow', 'trap "" TERM; while true; do sleep 0.2; done', { spec: { terminationGracePeriodSeconds: 60 } }),
    );
    await k.phase('slow', 'Running');
    k.delete('slow');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const begun = Date.now();
    k.delete('slow', 1);
    await k.gone('slow');
    expect(Date.now() - begun).toBeLessThan(6000);
  }, 20_000);

  it('ends a pod at its active deadline', async () => {
    k.api.put(newPod('deadline', 'sleep 60', { spec: { activeDeadlineSeconds: 2 } }));
    const failed = await k.phase('deadline', 'Failed');
    expect(failed.status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
  }, 20_000);

  it('kills for the memory limit and says OOMKilled', async () => {
    k.api.put(
      newPod('hungry', 'x=a; while true; do x=$x$x; done', {
        container: { resources: { limits: { memory: '16Mi' } } },
      }),
    );
    const failed = await k.phase('hungry', 'Failed');
    expect(failed.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });
  }, 20_000);

  it('resizes a running container in place, and starts it anew where its policy says so', async () => {
    const resources = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
    const resizePolicy = [
      { resourceName: 'cpu', restartPolicy: 'NotRequired' },
      { resourceName: 'memory', restartPolicy: 'RestartContainer' },
    ];
    const made = newPod('resized', 'sleep 1000', {
      metadata: { generation: 1 },
      container: { resources: resources('100m', '64Mi'), resizePolicy },
    });
    k.api.put(made);
    let current = await k.phase('resized', 'Running');
    /** Of the pod and of its container, as the kernel has them. */
    const limits = (file: string) =>
      execFileSync('find', ['/sys/fs/cgroup', '-path', `*pod${made.metadata.uid}*`, '-name', file])
        .toString()
        .split('\n')
        .filter(Boolean)
        .map((path) => readFileSync(path, 'utf8').trim().split(' ')[0]);
    const resize = async (generation: number, cpu: string, memory: string) => {
      const [main] = current.spec.containers;
      k.api.put({
        ...current,
        metadata: { ...current.metadata, generation },
        spec: { ...current.spec, containers: [{ ...main!, resources: resources(cpu, memory) }] },
      });
      await expect
        .poll(
          () => {
            current = k.pod('resized');
            const { status } = current;
            const resizing = status?.conditions?.some(({ type }) => type.startsWith('PodResize'));
            return status?.observedGeneration === generation && !resizing && status.containerStatuses?.[0]?.ready;
          },
          { timeout: 20_000 },
        )
        .toBe(true);
    };
    await resize(2, '200m', '64Mi');
    expect(current.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 0,
      resources: resources('200m', '64Mi'),
    });
    expect([...limits('cpu.cfs_quota_us'), ...limits('cpu.max')].filter((quota) => quota === '20000')).toHaveLength(2);
    await resize(3, '200m', '96Mi');
    expect(current.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      resources: resources('200m', '96Mi'),
    });
    const bytes = String(96 * 1024 * 1024);
    expect(
      [...limits('memory.limit_in_bytes'), ...limits('memory.max')].filter((limit) => limit === bytes),
    ).toHaveLength(2);
    k.delete('resized');
    await k.gone('resized');
  }, 40_000);

  it('refuses a pod that asks for more than the node has', async () => {
    k.api.put(newPod('huge', 'true', { container: { resources: { requests: { cpu: '9999' } } } }));
    const failed = await k.phase('huge', 'Failed');
    expect(failed.status?.reason).toBe('OutOfcpu');
    expect(failed.status?.message).toContain(
      "Pod was rejected: Node didn't have enough resource: cpu, requested: 9999000",
    );
  });

  it('shares the namespaces of the host when asked, and maps host ports', async () => {
    const port = 20_000 + (process.pid % 10_000);
    const serve = (p: number) => `mkdir -p /tmp/w; echo served > /tmp/w/index.html; httpd -f -p ${p} -h /tmp/w`;
    const host = k.api.put(
      newPod('host', 'ip addr; ps; hostname; id; ls -d /dev/mem /dev/kmsg || true; sleep 1', {
        spec: { hostNetwork: true, hostPID: true },
        container: { securityContext: { privileged: true } },
      }),
    );
    k.api.put(newPod('port', serve(80), { container: { ports: [{ containerPort: 80, hostPort: port }] } }));
    k.api.put(
      newPod('shared', 'sleep 1000', {
        spec: {
          shareProcessNamespace: true,
          containers: [
            ...newPod('', 'sleep 1000').spec.containers,
            { ...newPod('', 'sleep 1; ps').spec.containers[0]!, name: 'other' },
          ],
        },
      }),
    );
    const running = await k.phase('host', 'Running');
    expect(running.status).toMatchObject({ hostIP: '127.0.0.1', podIP: '127.0.0.1' });
    await k.phase('host', 'Succeeded');
    const { hostname } = await import('node:os');
    for (const text of ['127.0.0.1/8', 'vitest', `${hostname()}\n`]) expect(logOf(node, host)).toContain(text);
    const podIP = (await k.phase('port', 'Running')).status?.podIP;
    const get = (address: string) =>
      fetch(address)
        .then((answer) => answer.text())
        .catch((error) => String(error.cause ?? error));
    await expect.poll(() => get(`http://${podIP}:80/`), { timeout: 5000 }).toBe('served\n');
    const external = Object.values((await import('node:os')).networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal && !one.address.startsWith('10.201.'))?.address;
    if (external) await expect.poll(() => get(`http://${external}:${port}/`), { timeout: 5000 }).toBe('served\n');
    const shared = await k.when(
      'shared',
      ({ status }) => status?.containerStatuses?.find(({ name }) => name === 'other')?.state?.terminated !== undefined,
    );
    expect(logOf(node, shared, 'other')).toMatch(/\s1 \S+\s.*pause[\s\S]*sleep 1000/);
    // An ephemeral container joins the pod that runs.
    k.api.put({
      ...k.pod('port'),
      spec: {
        ...k.pod('port').spec,
        ephemeralContainers: [
          {
            name: 'debug',
            image: newPod('', '').spec.containers[0]?.image,
            command: ['/bin/sh', '-c', 'ps; echo debugging'],
            targetContainerName: 'main',
          },
        ],
      },
    });
    const debugged = await k.when(
      'port',
      ({ status }) => status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
    );
    expect(logOf(node, debugged, 'debug')).toMatch(/httpd[\s\S]*debugging/);
    for (const name of ['port', 'shared', 'host']) k.delete(name, 0);
    for (const name of ['port', 'shared', 'host']) await k.gone(name);
  }, 40_000);

  it('adopts its pods after a restart and ends those that were deleted meanwhile', async () => {
    k.api.put(newPod('stays', 'while true; do sleep 0.2; done', { spec: { restartPolicy: 'Always' } }));
    const orphan = k.api.put(newPod('goes', 'while true; do sleep 0.2; done'));
    const before = await k.phase('stays', 'Running');
    await k.phase('goes', 'Running');
    await k.kubelet.stop();
    const { remove } = {
      remove: () =>
        k.api.remove({ group: '', version: 'v1', kind: 'Pod', resource: 'pods', namespaced: true }, 'goes', 'default'),
    };
    remove();
    k = await startKubelet({ runtime: node.runtime, dataDir: node.dataDir, api: k.api });
    await expect
      .poll(() => existsSync(join(node.dataDir, 'kubelet/pods', orphan.metadata.uid ?? '')), { timeout: 8000 })
      .toBe(false);
    const after = k.pod('stays');
    expect(after.status?.containerStatuses?.[0]?.containerID).toBe(before.status?.containerStatuses?.[0]?.containerID);
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    k.delete('stays', 0);
    await k.gone('stays');
  }, 30_000);
});
