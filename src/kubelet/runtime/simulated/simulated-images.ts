import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Images, RuntimeImage } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';
import { pullBehaviour } from './behaviour.ts';

const MEBIBYTE = 1024 * 1024;

/** Every image there could be: pulled at once, unless the pod's annotations say otherwise. */
export function createSimulatedImages(): Images {
  const byName = new Map<string, RuntimeImage>();
  const byId = new Map<string, RuntimeImage>();
  return {
    async list() {
      return [...byId.values()];
    },
    async status(image) {
      return byName.get(image) ?? byId.get(image);
    },
    async pull(image, _auth, sandboxConfig) {
      const { error, ms } = pullBehaviour(sandboxConfig?.annotations ?? {}, image);
      if (ms > 0) await delay(ms, undefined, { ref: false });
      if (error !== undefined)
        throw new RuntimeError('Unknown', `failed to pull and unpack image "${image}": ${error}`);
      const known = byName.get(image);
      if (known) return known.id;
      const pulled = simulatedImage(image);
      byName.set(image, pulled);
      byId.set(pulled.id, pulled);
      return pulled.id;
    },
    async remove(image) {
      const known = byName.get(image) ?? byId.get(image);
      if (!known) return;
      byId.delete(known.id);
      for (const [name, one] of byName) if (one === known) byName.delete(name);
    },
    async filesystems() {
      return [];
    },
  };
}

/** Ids, digests and sizes follow from the name: the same on every node and at every start. */
function simulatedImage(name: string): RuntimeImage {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const digestAt = name.indexOf('@');
  const colon = name.lastIndexOf(':');
  const repository =
    digestAt >= 0 ? name.slice(0, digestAt) : colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
  const id = hash(`config ${name}`);
  return {
    id: `sha256:${id}`,
    repoTags: digestAt >= 0 ? [] : [name],
    repoDigests: [digestAt >= 0 ? name : `${repository}@sha256:${hash(`manifest ${name}`)}`],
    sizeBytes: MEBIBYTE * (4 + (Number.parseInt(id.slice(0, 4), 16) % 60)),
  };
}
