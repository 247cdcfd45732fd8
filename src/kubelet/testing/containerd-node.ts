import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { type Containerd, findContainerd, startContainerd } from '../runtime/containerd/containerd.ts';
import { createContainerdRuntime } from '../runtime/containerd/containerd-runtime.ts';
import { createImageImporter } from '../runtime/containerd/image-import.ts';
import { buildImage, type ImageFile } from '../runtime/images/image-tar.ts';

/** Why tests with real containers can't run here, or undefined. */
export function noContainers(): string | undefined {
  if (process.platform !== 'linux') return 'containers need Linux';
  if (process.getuid?.() !== 0) return 'containers need root';
  for (const name of ['containerd', 'runc']) {
    if (
      !['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'].some((directory) =>
        existsSync(join(directory, name)),
      )
    )
      return `${name} is not installed`;
  }
  if (!existsSync('/usr/lib/cni/bridge') && !existsSync('/opt/cni/bin/bridge'))
    return 'the CNI plugins are not installed';
  return existsSync('/bin/busybox') ? undefined : 'no static busybox at /bin/busybox';
}

export const BUSYBOX = 'k8ts.test/busybox:1';

/** The host's static busybox with its commands as an image. */
export function busyboxFiles(): ImageFile[] {
  const commands = [
    'sh',
    'sleep',
    'cat',
    'echo',
    'true',
    'false',
    'ls',
    'id',
    'hostname',
    'touch',
    'env',
    'mount',
    'stat',
    'readlink',
    'nc',
    'httpd',
    'ip',
    'grep',
    'test',
    'wc',
    'kill',
    'ps',
    'mkdir',
    'rm',
    'dd',
    'tail',
    'date',
  ];
  return [
    { path: 'bin/busybox', mode: 0o755, content: readFileSync('/bin/busybox') },
    ...commands.map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    { path: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\nuser:x:1000:\n' },
    { path: 'tmp/', mode: 0o1777 },
  ];
}

export interface TestNode {
  readonly dataDir: string;
  readonly containerd: Containerd;
  readonly runtime: ContainerRuntime;
  stop(): Promise<void>;
}

/** A containerd with a bridge network of its own and the busybox image; `stop` removes every trace. */
export async function startTestNode(subnet: string): Promise<TestNode> {
  const dataDir = mkdtempSync('/tmp/k8ts-node-');
  const bridge = `kt${dataDir.slice(-6)}`;
  const cniConfDir = join(dataDir, 'cni', 'net.d');
  mkdirSync(cniConfDir, { recursive: true });
  const plugins = [
    {
      type: 'bridge',
      bridge,
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: join(dataDir, 'cni', 'ipam'),
        ranges: [[{ subnet }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
  ];
  writeFileSync(join(cniConfDir, '10-test.conflist'), JSON.stringify({ cniVersion: '0.4.0', name: bridge, plugins }));
  const containerd = await startContainerd({ dataDir, logger: silentLogger });
  const runtime = await createContainerdRuntime({
    endpoint: containerd.endpoint,
    logger: silentLogger,
    pauseImage: true,
  });
  const importer = await createImageImporter(containerd.endpoint);
  await importer.importImage(
    await buildImage({ ref: BUSYBOX, layers: [busyboxFiles()], config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] } }),
  );
  importer.close();
  return {
    dataDir,
    containerd,
    runtime,
    async stop() {
      const current = await findContainerd(dataDir);
      for (const sandbox of await runtime.sandboxes.list()) {
        await runtime.sandboxes.stop(sandbox.id);
        await runtime.sandboxes.remove(sandbox.id);
      }
      await runtime.close();
      await current?.stop();
      try {
        execFileSync('ip', ['link', 'delete', bridge], { stdio: 'ignore' });
      } catch {
        // no pod had a network
      }
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
