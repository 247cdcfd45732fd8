import type { Metadata } from '@grpc/grpc-js';
import { type GrpcService, openGrpcChannel, toRuntimeError } from '../cri/grpc-channel.ts';
import type { ArchiveBlob } from '../images/archive.ts';
import type { BuiltImage } from '../images/image-tar.ts';
import type { Descriptor } from '../images/oci.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';

/** containerd's own namespace for Kubernetes: what CRI sees. */
const NAMESPACE = 'k8s.io';
const CHUNK_BYTES = 1024 * 1024;
/** containerd drops what no lease and no image refers to; an interrupted import is collected after this. */
const LEASE_HOURS = 1;

/** Puts images into containerd's store over its own API (content, images and leases services): no network, no `ctr`. */
export interface ImageImporter {
  importImage(image: BuiltImage): Promise<void>;
  /** An OCI layout or `docker save` archive, gzipped or not. Resolves to the names it brought. */
  importArchive(file: string): Promise<readonly string[]>;
  close(): void;
}

/** `endpoint` must be containerd's socket; any other CRI runtime rejects with Unimplemented. */
export async function createImageImporter(endpoint: string): Promise<ImageImporter> {
  const { default: descriptor } = await import('../proto/containerd.json', { with: { type: 'json' } });
  const channel = await openGrpcChannel(endpoint, descriptor, { 'containerd-namespace': NAMESPACE });
  const content = channel.service('containerd.services.content.v1.Content');
  const images = channel.service('containerd.services.images.v1.Images');
  const leases = channel.service('containerd.services.leases.v1.Leases');

  const store = async (blobs: readonly ArchiveBlob[], names: readonly string[], target: Descriptor) => {
    const id = `k8ts-import-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const expire = new Date(Date.now() + LEASE_HOURS * 3_600_000).toISOString();
    await leases.call('Create', { id, labels: { 'containerd.io/gc.expire': expire } });
    try {
      for (const blob of blobs) await writeBlob(content, blob, id);
      for (const name of names) await putImage(images, name, target);
    } finally {
      await leases.call('Delete', { id });
    }
  };

  return {
    async importImage(image) {
      const manifest = image.blobs.get(image.manifest.digest);
      const parsed = JSON.parse(Buffer.from(manifest ?? []).toString()) as { config: Descriptor; layers: Descriptor[] };
      const children = [parsed.config, ...parsed.layers];
      const blob = (descriptor: Descriptor, references: readonly string[]): ArchiveBlob => ({
        descriptor,
        references,
        async *chunks() {
          yield image.blobs.get(descriptor.digest) ?? new Uint8Array();
        },
      });
      await store(
        [
          ...children.map((child) => blob(child, [])),
          blob(
            image.manifest,
            children.map(({ digest }) => digest),
          ),
        ],
        [image.ref],
        image.manifest,
      );
    },
    async importArchive(file) {
      const { openImageArchive } = await import('../images/archive.ts');
      const archive = await openImageArchive(file);
      try {
        const names: string[] = [];
        for (const image of archive.images) {
          // Without a name the image can still be run by its id.
          const own = image.names.length ? image.names : [`k8ts.local/import@${image.target.digest}`];
          await store(image.blobs, own, image.target);
          names.push(...own);
        }
        return names;
      } finally {
        await archive.close();
      }
    },
    close: () => channel.close(),
  };
}

async function putImage(images: GrpcService, name: string, target: Descriptor): Promise<void> {
  const image = {
    name,
    labels: { 'io.cri-containerd.image': 'managed' },
    target: { media_type: target.mediaType, digest: target.digest, size: target.size },
  };
  try {
    await images.call('Create', { image });
  } catch (error) {
    if (!isRuntimeError(error, 'AlreadyExists')) throw error;
    await images.call('Update', { image });
  }
}

type WriteCall = NodeJS.EventEmitter & { write(message: object): boolean; end(): void; cancel(): void };
interface WriteResponse {
  readonly action: string;
  readonly offset: number;
}

/** Streams one blob in and commits it under its digest. A blob that is there already is left as it is. */
async function writeBlob(content: GrpcService, blob: ArchiveBlob, lease: string): Promise<void> {
  const { digest, size } = blob.descriptor;
  const labels = Object.fromEntries(
    blob.references.map((reference, i) => [`containerd.io/gc.ref.content.${i}`, reference]),
  );
  const metadata = content.metadata();
  metadata.set('containerd-lease', lease);
  const call = (content.raw.Write as (metadata: Metadata) => WriteCall).call(content.raw, metadata);
  const answers: WriteResponse[] = [];
  let failure: Error | undefined;
  let ended = false;
  let wake = () => {};
  call.on('data', (answer: WriteResponse) => {
    answers.push(answer);
    wake();
  });
  call.on('error', (error: Error) => {
    failure = error;
    wake();
  });
  call.on('end', () => {
    ended = true;
    wake();
  });
  /** Every request has one answer, in order. */
  const exchange = async (request: object): Promise<WriteResponse> => {
    call.write(request);
    for (;;) {
      const answer = answers.shift();
      if (answer) return answer;
      if (failure) throw toRuntimeError(failure as Parameters<typeof toRuntimeError>[0]);
      if (ended) throw new RuntimeError('Aborted', `writing ${digest} ended early`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const ref = `${lease}-${digest}`;
  try {
    let offset = 0;
    await exchange({ action: 'STAT', ref, total: size, expected: digest });
    for await (const chunk of blob.chunks()) {
      for (let at = 0; at < chunk.byteLength; at += CHUNK_BYTES) {
        const data = chunk.subarray(at, at + CHUNK_BYTES);
        await exchange({ action: 'WRITE', ref, total: size, expected: digest, offset, data });
        offset += data.byteLength;
      }
    }
    await exchange({ action: 'COMMIT', ref, total: size, expected: digest, offset, labels });
    call.end();
  } catch (error) {
    call.cancel();
    if (!isRuntimeError(error, 'AlreadyExists')) throw error;
  }
}
