import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { normalizeImageName } from '../../images/image-name.ts';
import {
  type Descriptor,
  descriptorOf,
  digestOf,
  type ImageConfig,
  imageArchitecture,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from './oci.ts';

/** A file of a layer. Directories above it are made; a path that ends in `/` is a directory itself. */
export interface ImageFile {
  readonly path: string;
  readonly content?: Uint8Array | string;
  /** A symbolic link to this. */
  readonly link?: string;
  /** 0644, or 0755 for a directory, when absent. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface ImageSpec {
  /** As pods will name it: `registry/name:tag`; normalised as Docker does (`busybox:1` is `docker.io/library/busybox:1`). */
  readonly ref: string;
  /** One layer per element. */
  readonly layers: readonly (readonly ImageFile[])[];
  readonly config?: ImageConfig;
  /** This machine's when absent. */
  readonly architecture?: string;
  readonly gzip?: boolean;
}

/** An image in pieces: blobs by digest and the descriptor of its manifest. */
export interface BuiltImage {
  readonly ref: string;
  readonly manifest: Descriptor;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** Builds an image without a network. The same spec gives the same bytes: all times are the epoch. */
export async function buildImage(spec: ImageSpec): Promise<BuiltImage> {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = descriptorOf(mediaType, bytes);
    blobs.set(descriptor.digest, bytes);
    return descriptor;
  };
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const files of spec.layers) {
    const tar = await layerTar(files);
    diffIds.push(digestOf(tar));
    layers.push(spec.gzip ? add(OCI_LAYER_GZIP, gzipSync(tar)) : add(OCI_LAYER, tar));
  }
  const config = add(
    OCI_CONFIG,
    json({
      created: '1970-01-01T00:00:00Z',
      architecture: spec.architecture ?? imageArchitecture(),
      os: 'linux',
      config: spec.config ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'k8ts' })),
    }),
  );
  const manifest = add(OCI_MANIFEST, json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }));
  return { ref: normalizeImageName(spec.ref), manifest, blobs };
}

/** The image as a tar archive in OCI layout, as `k8ts image load`, `ctr images import` and `docker load` read it. */
export async function buildImageTar(spec: ImageSpec): Promise<Uint8Array> {
  const image = await buildImage(spec);
  const { pack } = await import('tar-stream');
  const archive = pack();
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      {
        ...image.manifest,
        platform: { architecture: spec.architecture ?? imageArchitecture(), os: 'linux' },
        annotations: {
          'io.containerd.image.name': image.ref,
          'org.opencontainers.image.ref.name': image.ref.slice(image.ref.lastIndexOf(':') + 1),
        },
      },
    ],
  };
  const entry = (name: string, bytes: Uint8Array) =>
    archive.entry({ name, mode: 0o644, mtime: new Date(0) }, Buffer.from(bytes));
  entry('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  entry('index.json', json(index));
  for (const [digest, bytes] of image.blobs) entry(`blobs/${digest.replace(':', '/')}`, bytes);
  archive.finalize();
  return await buffer(Readable.from(archive));
}

async function layerTar(files: readonly ImageFile[]): Promise<Uint8Array> {
  const { pack } = await import('tar-stream');
  const archive = pack();
  const made = new Set<string>();
  const directory = (path: string, mode = 0o755, owner: { uid?: number; gid?: number } = {}) => {
    if (path === '' || made.has(path)) return;
    directory(path.split('/').slice(0, -1).join('/'));
    made.add(path);
    archive.entry({ name: `${path}/`, type: 'directory', mode, mtime: new Date(0), ...owner });
  };
  for (const file of files) {
    const path = file.path.replace(/^\/+/, '');
    const owner = { uid: file.uid ?? 0, gid: file.gid ?? 0 };
    if (path.endsWith('/')) {
      directory(path.slice(0, -1), file.mode ?? 0o755, owner);
      continue;
    }
    directory(path.split('/').slice(0, -1).join('/'));
    if (file.link !== undefined) {
      archive.entry({ name: path, type: 'symlink', linkname: file.link, mode: 0o777, mtime: new Date(0), ...owner });
    } else {
      const content = typeof file.content === 'string' ? Buffer.from(file.content) : Buffer.from(file.content ?? []);
      archive.entry({ name: path, mode: file.mode ?? 0o644, mtime: new Date(0), ...owner }, content);
    }
  }
  archive.finalize();
  return await buffer(Readable.from(archive));
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
