import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core.v1.gen.ts';
import { noContainers, startTestNode, type TestNode } from '../testing/containerd-node.ts';
import { type KubeletOnFakeApi, newPod, startKubelet } from '../testing/kubelet-on-fake-api.ts';

const skip = noContainers();

describe.skipIf(skip)(`volumes in containers${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  let k: KubeletOnFakeApi;
  let host: string;

  beforeAll(async () => {
    host = mkdtempSync('/tmp/k8ts-host-');
    node = await startTestNode('10.203.0.0/24');
    k = await startKubelet({ runtime: node.runtime, dataDir: node.dataDir });
    await k.kubelet.whenReady();
  }, 30_000);

  afterAll(async () => {
    await k?.kubelet.stop();
    await k?.kubelet.removePods();
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    await node?.stop();
    rmSync(host, { recursive: true, force: true });
    expect(mounts).not.toContain(`${node.dataDir}/kubelet`);
  }, 30_000);

  const log = (pod: Pod) =>
    readFileSync(
      join(node.dataDir, 'logs/pods', `default_${pod.metadata.name}_${pod.metadata.uid}`, 'main', '0.log'),
      'utf8',
    ).replaceAll(/^\S+ \S+ F /gm, '');

  /** Mounts every volume at /<name>. */
  const withVolumes = (name: string, script: string, volumes: Volume[], spec: Partial<Pod['spec']> = {}) =>
    k.api.put(
      newPod(name, script, {
        spec: { volumes, ...spec },
        container: { volumeMounts: volumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` })) },
      }),
    );

  it('shows ConfigMaps, Secrets and the pod itself as files', async () => {
    k.api.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { a: '1', b: '2' },
      binaryData: { c: 'Aw==' },
    });
    k.api.put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'sec', namespace: 'default' },
      data: { key: Buffer.from('s3cret').toString('base64') },
    });
    const pod = withVolumes(
      'files',
      'cat /cm/a /cm/b; stat -c %a /cm/..data/a /items/deep/er; cat /items/deep/er; cat /secret/key; stat -c "%a %g" -L /secret/key; cat /down/labels; cat /all/x /all/y; mount | grep " /secret "; ls /opt-none',
      [
        { name: 'cm', configMap: { name: 'conf', defaultMode: 0o640 } },
        { name: 'items', configMap: { name: 'conf', items: [{ key: 'a', path: 'deep/er', mode: 0o400 }] } },
        { name: 'secret', secret: { secretName: 'sec', defaultMode: 0o400 } },
        { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        {
          name: 'all',
          projected: {
            sources: [
              { configMap: { name: 'conf', items: [{ key: 'a', path: 'x' }] } },
              { secret: { name: 'sec', items: [{ key: 'key', path: 'y' }] } },
            ],
          },
        },
        { name: 'opt-none', configMap: { name: 'none', optional: true } },
      ],
      { securityContext: { fsGroup: 777 } },
    );
    await k.phase('files', 'Succeeded');
    const text = log(pod);
    expect(text).toContain('12640\n440\n1');
    expect(text).toContain('s3cret440 777\n');
    expect(text).toContain('1s3cret');
    expect(text).toContain('tmpfs on /secret type tmpfs');
  });

  it('brings a changed ConfigMap into a running container, all at once', async () => {
    k.api.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'live', namespace: 'default' },
      data: { v: 'old', gone: 'x' },
    });
    withVolumes('live', 'while ! grep -q new /conf/v; do sleep 0.1; done; ls /conf; test ! -e /conf/gone', [
      { name: 'conf', configMap: { name: 'live' } },
    ]);
    await k.phase('live', 'Running');
    k.api.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'live', namespace: 'default' },
      data: { v: 'new' },
    });
    await k.phase('live', 'Succeeded');
  });

  it('keeps emptyDirs for the life of the pod, also in memory', async () => {
    const pod = withVolumes(
      'empty',
      'echo x > /disk/f; mount | grep " /memory "; stat -c "%a %g" /disk /memory; dd if=/dev/zero of=/memory/big bs=1M count=8 2>&1 || true',
      [
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
      ],
      { securityContext: { fsGroup: 555 } },
    );
    await k.phase('empty', 'Succeeded');
    expect(log(pod)).toContain('tmpfs on /memory type tmpfs');
    expect(log(pod)).toContain('2777 555\n2777 555');
    expect(log(pod)).toContain('No space left');
    k.delete('empty');
    await k.gone('empty');
  });

  it('mounts paths of the host as their type says, and sub paths of volumes', async () => {
    mkdirSync(join(host, 'data'));
    writeFileSync(join(host, 'data', 'file'), 'from host\n');
    const pod = k.api.put(
      newPod(
        'paths',
        'cat /h/file /one; echo back > /h/written; echo x > /ro/f || echo refused; ls -d /sub; echo made > /sub/s',
        {
          spec: {
            volumes: [
              { name: 'h', hostPath: { path: join(host, 'data'), type: 'Directory' } },
              { name: 'new', hostPath: { path: join(host, 'made'), type: 'DirectoryOrCreate' } },
            ],
          },
          container: {
            env: [{ name: 'NAME', value: 'expr' }],
            volumeMounts: [
              { name: 'h', mountPath: '/h' },
              { name: 'h', mountPath: '/one', subPath: 'file' },
              { name: 'h', mountPath: '/ro', readOnly: true },
              { name: 'new', mountPath: '/sub', subPathExpr: 'a/$(NAME)' },
            ],
          },
        },
      ),
    );
    await k.phase('paths', 'Succeeded');
    expect(log(pod)).toContain('from host\nfrom host\n');
    expect(log(pod)).toContain('refused');
    expect(readFileSync(join(host, 'data', 'written'), 'utf8')).toBe('back\n');
    expect(readFileSync(join(host, 'made/a/expr/s'), 'utf8')).toBe('made\n');
    k.delete('paths');
    await k.gone('paths');
    await expect
      .poll(() => existsSync(join(node.dataDir, 'kubelet/pods', pod.metadata.uid ?? '')), { timeout: 8000 })
      .toBe(false);
    expect(existsSync(join(host, 'data', 'file'))).toBe(true);
  });

  it('refuses a sub path that leads out of the volume', async () => {
    mkdirSync(join(host, 'trap'), { recursive: true });
    const { symlinkSync } = await import('node:fs');
    symlinkSync('/etc', join(host, 'trap', 'out'));
    k.api.put(
      newPod('escape', 'cat /x/passwd', {
        spec: { volumes: [{ name: 'v', hostPath: { path: join(host, 'trap') } }] },
        container: { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: 'out' }] },
      }),
    );
    const pod = await k.when(
      'escape',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('not within volume path');
    k.delete('escape');
    await k.gone('escape');
  });

  it('uses claims on hostPath, local and nfs volumes, and says why one can not be mounted', async () => {
    mkdirSync(join(host, 'pv'), { recursive: true });
    mkdirSync(join(host, 'local'), { recursive: true });
    const claim = (name: string, source: Partial<PersistentVolume['spec']>) => {
      const uid = crypto.randomUUID();
      k.api.put<PersistentVolume>({
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `pv-${name}` },
        spec: { ...source, claimRef: { namespace: 'default', name, uid } },
      });
      k.api.put<PersistentVolumeClaim>({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace: 'default', uid },
        spec: { volumeName: `pv-${name}` },
        status: { phase: 'Bound' },
      });
    };
    claim('path', { hostPath: { path: join(host, 'pv') } });
    claim('local', { local: { path: join(host, 'local') } });
    claim('nfs', {
      nfs: { server: 'nfs-server.example.com', path: '/path/to/nfs' },
      mountOptions: ['hard', 'nfsvers=4.1'],
    });
    withVolumes('claims', 'echo 1 > /a/f; echo 2 > /b/f', [
      { name: 'a', persistentVolumeClaim: { claimName: 'path' } },
      { name: 'b', persistentVolumeClaim: { claimName: 'local' } },
    ]);
    withVolumes('nfs', 'true', [{ name: 'v', persistentVolumeClaim: { claimName: 'nfs' } }]);
    withVolumes('unbound', 'true', [{ name: 'v', persistentVolumeClaim: { claimName: 'none' } }]);
    await k.phase('claims', 'Succeeded');
    expect(readFileSync(join(host, 'pv/f'), 'utf8')).toBe('1\n');
    expect(readFileSync(join(host, 'local/f'), 'utf8')).toBe('2\n');
    // Before, the kubelet may have looked when it had not heard of the claim yet.
    const told =
      /^MountVolume.SetUp failed for volume "pv-nfs" : mount failed: exit status \d+\nMounting command: mount\nMounting arguments: -t nfs -o hard,nfsvers=4.1 nfs-server.example.com:\/path\/to\/nfs .*\nOutput: ./;
    await expect
      .poll(() => k.events('nfs').filter(({ reason }) => reason === 'FailedMount'), { timeout: 20_000 })
      .toContainEqual(expect.objectContaining({ message: expect.stringMatching(told) }));
    expect(k.pod('nfs').status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('ContainerCreating');
    for (const name of ['nfs', 'unbound', 'claims']) {
      k.delete(name);
      await k.gone(name);
    }
    expect(existsSync(join(host, 'local/f'))).toBe(true);
  }, 40_000);
});
