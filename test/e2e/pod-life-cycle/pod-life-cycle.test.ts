import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, NODE_IMAGE } from '../../support/images.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { freshNamespace, scenario } from '../../support/scenario.ts';

const sh = (name: string, script: string, more: object = {}) => ({
  name,
  image: BUSYBOX,
  command: ['sh', '-c', script],
  ...more,
});

const pod = (name: string, spec: { containers: object[]; [field: string]: unknown }) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});

interface ContainerStatus {
  name: string;
  restartCount: number;
  state: { waiting?: { reason: string }; running?: { startedAt: string }; terminated?: { finishedAt: string } };
  lastState: { terminated?: { exitCode: number; reason: string; message?: string } };
}
interface PodView {
  status: {
    phase: string;
    qosClass: string;
    initContainerStatuses?: ContainerStatus[];
    containerStatuses: ContainerStatus[];
  };
}

/** Asks the API server as the pod's ServiceAccount, with what every pod finds in itself. */
const WHO_AM_I = `
const fs = require('node:fs');
const at = '/var/run/secrets/kubernetes.io/serviceaccount/';
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const options = {
  host, port, method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
  ca: fs.readFileSync(at + 'ca.crt'),
  headers: { authorization: 'Bearer ' + fs.readFileSync(at + 'token', 'utf8'), 'content-type': 'application/json' },
};
const request = require('node:https').request(options, (response) => response.pipe(process.stdout));
request.end('{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}');
`;

scenario('the life of a pod', ({ cluster }) => {
  let kubectl: Kubectl;
  let namespace: string;
  let remove: () => Promise<void>;
  const view = (name: string) => kubectl.get<PodView>(`pod ${name}`);
  const ended = (name: string, phase: string) =>
    kubectl(`wait --for=jsonpath={.status.phase}=${phase} pod/${name} --timeout=60s`);

  beforeAll(async () => {
    ({ kubectl, namespace, remove } = await freshNamespace(cluster, 'life'));
  });
  afterAll(() => remove?.());

  it('runs init containers one after another, then the sidecar beside the main container', async () => {
    const mounts = { volumeMounts: [{ name: 'work', mountPath: '/work' }] };
    await kubectl.apply(
      pod('stages', {
        restartPolicy: 'Never',
        volumes: [{ name: 'work', emptyDir: {} }],
        initContainers: [
          sh('first', 'sleep 1; echo first >> /work/log', mounts),
          sh('helper', 'echo helper >> /work/log; sleep 100000', { ...mounts, restartPolicy: 'Always' }),
          sh('second', 'echo second >> /work/log', mounts),
        ],
        containers: [sh('main', 'cat /work/log; sleep 1', mounts)],
      }),
    );
    const seen = new Set<string>();
    await eventually(
      async () => {
        const line = (await kubectl('get pod stages --no-headers')).split(/\s+/)[2]!;
        seen.add(line);
        return line === 'Completed';
      },
      { timeoutMs: 60_000, intervalMs: 20 },
    );
    expect(
      [...seen].some((status) => /^Init:\d\/3$/.test(status)),
      [...seen].join(' '),
    ).toBe(true);
    expect(await kubectl('logs stages -c main')).toBe('first\nhelper\nsecond\n');
    await ended('stages', 'Succeeded');
    expect(
      (await view('stages')).status.initContainerStatuses?.map(({ name, state }) => [
        name,
        state.terminated !== undefined,
      ]),
    ).toEqual([
      ['first', true],
      ['helper', true],
      ['second', true],
    ]);
  });

  it('restarts what crashes, ever slower, and keeps the log of the run before', async () => {
    await kubectl.apply(
      pod('crashing', {
        containers: [sh('main', 'echo run of $(date +%s%N); echo bad luck > /dev/termination-log; exit 3')],
      }),
    );
    await eventually(
      async () => {
        const [main] = (await view('crashing')).status.containerStatuses;
        return main!.restartCount >= 1 && main!.state.waiting?.reason === 'CrashLoopBackOff';
      },
      { timeoutMs: 60_000 },
    );
    const [main] = (await view('crashing')).status.containerStatuses;
    expect(main!.lastState.terminated).toMatchObject({ exitCode: 3, reason: 'Error', message: 'bad luck\n' });
    expect(await kubectl('get pod crashing --no-headers')).toMatch(
      /^crashing +0\/1 +CrashLoopBackOff +\d \(\d+s ago\) +\d+s/,
    );
    const [last, previous] = [await kubectl('logs crashing'), await kubectl('logs crashing --previous')];
    expect(previous).toMatch(/^run of /);
    expect(last).toMatch(/^run of /);
    expect(await kubectl('describe pod crashing')).toContain('Back-off restarting failed container main in pod');
    expect((await kubectl.run('logs crashing --previous -c other')).stderr).toContain('container other is not valid');
  });

  it('is ready while its probe says so, and restarted when its liveness probe fails', async () => {
    const exec = (command: string, more: object = {}) => ({
      exec: { command: ['sh', '-c', command] },
      periodSeconds: 1,
      failureThreshold: 1,
      ...more,
    });
    await kubectl.apply([
      pod('probed', {
        containers: [
          sh('main', 'touch /tmp/alive; httpd -p 8080 -h /tmp; echo up; sleep 100000', {
            startupProbe: exec('test -e /tmp/alive', { failureThreshold: 30 }),
            livenessProbe: exec('test -e /tmp/alive'),
            readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
          }),
        ],
      }),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'probed' },
        spec: { selector: { app: 'probed' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ]);
    const ready = () =>
      kubectl(
        'get endpointslices -l kubernetes.io/service-name=probed -o jsonpath={.items[*].endpoints[*].conditions.ready}',
      );
    await eventually(async () => (await ready()) === 'false', { timeoutMs: 30_000 });
    await kubectl('exec probed -- touch /tmp/ready');
    await kubectl('wait --for=condition=Ready pod/probed --timeout=20s');
    await eventually(async () => (await ready()) === 'true', { timeoutMs: 10_000 });
    await kubectl('exec probed -- rm /tmp/ready');
    await kubectl('wait --for=condition=Ready=false pod/probed --timeout=20s');
    await kubectl('exec probed -- rm /tmp/alive');
    await eventually(async () => (await view('probed')).status.containerStatuses[0]!.restartCount === 1, {
      timeoutMs: 30_000,
    });
    const events = await kubectl(
      'get events --field-selector involvedObject.name=probed -o jsonpath={range.items[*]}{.reason}:{.message}{"\\n"}{end}',
    );
    expect(events).toMatch(/Unhealthy:Readiness probe failed: HTTP probe failed with statuscode: 404/);
    expect(events).toContain('Unhealthy:Liveness probe failed');
    expect(events).toContain('Killing:Container main failed liveness probe, will be restarted');
  });

  it('shows logs from a line, from a time and as they come, and takes input by attach', async () => {
    await kubectl.apply(
      pod('talking', {
        restartPolicy: 'Never',
        containers: [
          sh('main', 'seq 1 100; read line; echo heard $line; sleep 1; echo end', { stdin: true, stdinOnce: true }),
        ],
      }),
    );
    await kubectl('wait --for=condition=Ready pod/talking --timeout=60s');
    await eventually(async () => (await kubectl('logs talking --tail=2')) === '99\n100\n');
    expect(await kubectl('logs talking --since=1h --limit-bytes=4')).toBe('1\n2\n');
    expect(await kubectl('logs talking --tail=1 --timestamps')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z 100\n$/);
    const following = kubectl('logs talking --follow --tail=0');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const attached = await kubectl('attach -i talking', { input: 'you\n' });
    expect(attached).toContain('heard you');
    expect(await following).toBe('heard you\nend\n');
    await ended('talking', 'Succeeded');
  });

  it('finds its configuration, its own data and its identity', async () => {
    await kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { color: 'blue', 'app.conf': 'x=1' },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { password: 'open sesame' } },
      pod('knowing', {
        restartPolicy: 'Never',
        containers: [
          sh(
            'main',
            'env | grep -E "^(COLOR|PASSWORD|ME|CPU)=" | while read v; do echo "$v"; done; cat /all/app.conf /all/password /all/labels; echo; stat -Lc %a /keys/password; test -w /keys/password && echo x > /keys/password; true',
            {
              env: [
                { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'key', key: 'password' } } },
                { name: 'ME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
              ],
              resources: { limits: { cpu: '200m', memory: '32Mi' } },
              volumeMounts: [
                { name: 'all', mountPath: '/all' },
                { name: 'keys', mountPath: '/keys' },
              ],
            },
          ),
        ],
        volumes: [
          { name: 'keys', secret: { secretName: 'key', defaultMode: 0o400 } },
          {
            name: 'all',
            projected: {
              sources: [
                { configMap: { name: 'settings', items: [{ key: 'app.conf', path: 'app.conf' }] } },
                { secret: { name: 'key' } },
                { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
              ],
            },
          },
        ],
      }),
      pod('identity', {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: NODE_IMAGE, command: ['node', '-e', WHO_AM_I] }],
      }),
    ]);
    await ended('knowing', 'Succeeded');
    const lines = (await kubectl('logs knowing')).split('\n');
    expect(lines.slice(0, 4).sort()).toEqual(['COLOR=blue', 'CPU=200', 'ME=knowing', 'PASSWORD=open sesame']);
    expect(lines.slice(4).join('\n')).toBe('x=1open sesameapp="knowing"\n400\n');
    expect((await view('knowing')).status.qosClass).toBe('Guaranteed');
    await ended('identity', 'Succeeded');
    expect(JSON.parse(await kubectl('logs identity')).status.userInfo).toMatchObject({
      username: `system:serviceaccount:${namespace}:default`,
      extra: { 'authentication.kubernetes.io/pod-name': ['identity'] },
    });
  });

  it('takes a debugging container while it runs', async () => {
    await kubectl.apply(pod('quiet', { containers: [sh('main', 'sleep 100000')] }));
    await kubectl('wait --for=condition=Ready pod/quiet --timeout=60s');
    await kubectl(['debug', 'quiet', `--image=${BUSYBOX}`, '--container=look', '--target=main', '--', 'ps']);
    await eventually(async () => (await kubectl('logs quiet -c look')).includes('sleep 100000'), { timeoutMs: 20_000 });
  });
});
