import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuiltImage } from '../../src/kubelet/runtime/images/image-tar.ts';
import { eventually } from './eventually.ts';
import { freePort } from './k8ts.ts';

const PROGRAM = '/usr/bin/docker-registry';

/** Why no registry can run here; undefined when one can. */
export const noRegistry = (): string | undefined =>
  existsSync(PROGRAM) ? undefined : 'docker-registry is not installed';

export interface ImageRegistry {
  /** `localhost:5000` */
  readonly host: string;
  push(image: BuiltImage, name: string, tag: string): Promise<void>;
  stop(): Promise<void>;
}

/** Debian's docker-registry on a free port, with a folder of its own. */
export async function startImageRegistry(): Promise<ImageRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-registry-'));
  const host = `localhost:${await freePort()}`;
  const config = join(folder, 'config.yml');
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'images') } },
    http: { addr: host.replace('localhost', '127.0.0.1') },
  };
  writeFileSync(config, JSON.stringify(settings));
  const child = spawn(PROGRAM, ['serve', config], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const ask = async (method: string, url: string, headers: Record<string, string> = {}, body?: Uint8Array) => {
    const response = await fetch(url, { method, headers, ...(body ? { body: Buffer.from(body) } : {}) });
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    return response;
  };
  try {
    await eventually(() => ask('GET', `http://${host}/v2/`), { timeoutMs: 10_000 });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host,
    stop,
    async push({ manifest, blobs }, name, tag) {
      const octets = { 'content-type': 'application/octet-stream' };
      for (const [digest, bytes] of blobs) {
        if (digest === manifest.digest) continue;
        const begun = await ask('POST', `http://${host}/v2/${name}/blobs/uploads/`);
        const target = new URL(begun.headers.get('location')!, `http://${host}`);
        target.searchParams.set('digest', digest);
        await ask('PUT', target.href, octets, bytes);
      }
      const type = { 'content-type': manifest.mediaType };
      await ask('PUT', `http://${host}/v2/${name}/manifests/${tag}`, type, blobs.get(manifest.digest)!);
    },
  };
}
