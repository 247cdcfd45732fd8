import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { busyboxFiles, noContainers, startTestNode, type TestNode } from '../../testing/containerd-node.ts';
import { newPod, startKubelet } from '../../testing/kubelet-on-fake-api.ts';
import { buildImage, buildImageTar } from '../images/image-tar.ts';
import { findContainerd, startContainerd } from './containerd.ts';
import { createContainerdRuntime } from './containerd-runtime.ts';
import { createImageImporter } from './image-import.ts';

const skip = noContainers();

describe.skipIf(skip)(`a containerd of our own${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  const temporary = mkdtempSync('/tmp/k8ts-images-');

  beforeAll(async () => {
    node = await startTestNode('10.205.0.0/24');
  }, 30_000);
  afterAll(async () => {
    await node?.stop();
    rmSync(temporary, { recursive: true, force: true });
  }, 30_000);

  it('is adopted by the next start, and started anew around its containers after kill -9', async () => {
    const k = await startKubelet({ runtime: node.runtime, dataDir: node.dataDir });
    k.api.put(newPod('p', 'while true; do sleep 0.2; done'));
    const before = await k.phase('p', 'Running');
    await k.kubelet.stop();
    const again = await startContainerd({ dataDir: node.dataDir, logger: silentLogger });
    expect([again.adopted, again.pid]).toEqual([true, node.containerd.pid]);
    process.kill(again.pid, 'SIGKILL');
    const anew = await startContainerd({ dataDir: node.dataDir, logger: silentLogger });
    expect(anew.adopted).toBe(false);
    expect((await findContainerd(node.dataDir))?.pid).toBe(anew.pid);
    const runtime = await createContainerdRuntime({ endpoint: anew.endpoint, logger: silentLogger, pauseImage: true });
    const second = await startKubelet({ runtime, dataDir: node.dataDir, api: k.api });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(second.pod('p').status).toMatchObject({
      phase: 'Running',
      podIP: before.status?.podIP,
      containerStatuses: [{ restartCount: 0, containerID: before.status?.containerStatuses?.[0]?.containerID }],
    });
    second.delete('p', 0);
    await second.gone('p');
    await second.kubelet.stop();
    await second.kubelet.removePods();
    await runtime.close();
  }, 40_000);

  it('loads image archives without a network', async () => {
    const spec = {
      ref: 'localhost:5000/loaded:1',
      layers: [busyboxFiles(), [{ path: 'hello', content: 'hi' }]],
      gzip: true,
    };
    const file = join(temporary, 'image.tar.gz');
    writeFileSync(file, gzipSync(await buildImageTar(spec)));
    const { endpoint } = (await findContainerd(node.dataDir))!;
    const importer = await createImageImporter(endpoint);
    expect(await importer.importArchive(file)).toEqual(['localhost:5000/loaded:1']);
    expect(await importer.importArchive(file)).toEqual(['localhost:5000/loaded:1']);
    importer.close();
    const runtime = await createContainerdRuntime({ endpoint, logger: silentLogger, pauseImage: true });
    await expect
      .poll(async () => (await runtime.images.status('localhost:5000/loaded:1'))?.repoTags)
      .toEqual(['localhost:5000/loaded:1']);
    await runtime.close();
  }, 20_000);

  it('pulls from a plain registry on this machine with the credentials of the pod', async () => {
    const image = await buildImage({ ref: 'app:1', layers: [busyboxFiles()], gzip: true });
    const expected = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    const registry = createServer((request, response) => {
      if (request.headers.authorization !== expected) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
        return;
      }
      const [, kind, reference] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
      const digest = reference === '1' ? image.manifest.digest : (reference ?? '');
      const blob = image.blobs.get(digest);
      if (!blob) return void response.writeHead(404).end();
      response.writeHead(200, {
        'Content-Type': kind === 'manifests' ? image.manifest.mediaType : 'application/octet-stream',
        'Docker-Content-Digest': digest,
        'Content-Length': blob.byteLength,
      });
      response.end(request.method === 'HEAD' ? undefined : blob);
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const host = `localhost:${(registry.address() as AddressInfo).port}`;
    const { endpoint } = (await findContainerd(node.dataDir))!;
    const runtime = await createContainerdRuntime({ endpoint, logger: silentLogger, pauseImage: true });
    const k = await startKubelet({ runtime, dataDir: node.dataDir });
    try {
      const data = {
        '.dockerconfigjson': Buffer.from(
          JSON.stringify({ auths: { [host]: { username: 'me', password: 'secret' } } }),
        ).toString('base64'),
      };
      k.api.put({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'pull', namespace: 'default' },
        type: 'kubernetes.io/dockerconfigjson',
        data,
      } as never);
      k.api.put(newPod('denied', 'true', { container: { image: `${host}/app:1` } }));
      // Before the image is there: then nobody needs credentials any more.
      await k.when('denied', ({ status }) =>
        /^(ErrImagePull|ImagePullBackOff)$/.test(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
      );
      k.api.put(
        newPod('pulled', 'true', {
          container: { image: `${host}/app:1`, imagePullPolicy: 'Always' },
          spec: { imagePullSecrets: [{ name: 'pull' }] },
        }),
      );
      const done = await k.phase('pulled', 'Succeeded');
      expect(done.status?.containerStatuses?.[0]?.imageID).toBe(`${host}/app@${image.manifest.digest}`);
      expect(
        k
          .events('pulled')
          .map(({ message }) => message)
          .find((message) => message?.startsWith('Successfully pulled')),
      ).toMatch(
        /^Successfully pulled image "localhost:\d+\/app:1" in \S+ \(\S+ including waiting\)\. Image size: \d+ bytes\.$/,
      );
    } finally {
      await k.kubelet.stop();
      await k.kubelet.removePods();
      await runtime.close();
      registry.close();
    }
  }, 30_000);
});
