import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CodedError } from '../../../apimachinery/coded-error.ts';
import { normalizeImageName } from '../../images/image-name.ts';
import {
  type Descriptor,
  DOCKER_MANIFEST_LIST,
  descriptorOf,
  type ImageIndex,
  imageArchitecture,
  type Manifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from './oci.ts';

/** A blob of an archive: small ones in memory, layers as a file to stream from. */
export interface ArchiveBlob {
  readonly descriptor: Descriptor;
  /** Digests of the blobs this one refers to. */
  readonly references: readonly string[];
  chunks(): AsyncIterable<Uint8Array>;
}

export interface ArchiveImage {
  readonly names: readonly string[];
  readonly target: Descriptor;
  /** Children before parents, the target last. */
  readonly blobs: readonly ArchiveBlob[];
}

/**
 * Opens an image archive: OCI layout or `docker save`, gzipped or not. Throws CodedError for anything else.
 * `close` removes what was unpacked.
 */
export async function openImageArchive(
  file: string,
): Promise<{ images: readonly ArchiveImage[]; close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'k8ts-image-'));
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    const files = await unpack(file, directory);
    const images = files.has('index.json') ? await readOciLayout(file, files) : await readDockerSave(file, files);
    if (images.length === 0) throw badArchive(file, 'it holds no image for this machine');
    return { images, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Files = ReadonlyMap<string, { readonly path: string; readonly size: number }>;

/** Entries are stored under numbers, never under their own names. Hard and symbolic links between entries are followed. */
async function unpack(file: string, directory: string): Promise<Files> {
  const { extract } = await import('tar-stream');
  const files = new Map<string, { path: string; size: number }>();
  const links: { name: string; target: string }[] = [];
  const archive = extract();
  const gzipped = await isGzip(file);
  const source = createReadStream(file);
  const unzipped = gzipped ? source.pipe(createGunzip()) : source;
  source.on('error', (error) => unzipped.destroy(error));
  const done = pipeline(unzipped, archive).catch((cause: unknown) => {
    throw badArchive(file, 'it is not a tar archive', cause);
  });
  const read = async () => {
    for await (const entry of archive) {
      const name = posix.normalize(entry.header.name).replace(/^\/+/, '');
      const { type, linkname } = entry.header;
      if ((type === 'symlink' || type === 'link') && linkname) {
        links.push({
          name,
          target: type === 'link' ? posix.normalize(linkname) : posix.join(posix.dirname(name), linkname),
        });
        entry.resume();
      } else if (type === 'file' || type === 'contiguous-file') {
        const path = join(directory, String(files.size));
        const output = await open(path, 'w');
        let size = 0;
        try {
          for await (const chunk of entry as AsyncIterable<Uint8Array>) {
            await output.write(chunk);
            size += chunk.byteLength;
          }
        } finally {
          await output.close();
        }
        files.set(name, { path, size });
      } else {
        entry.resume();
      }
    }
  };
  await Promise.all([
    done,
    read().catch((cause: unknown) =>
      Promise.reject(cause instanceof CodedError ? cause : badArchive(file, 'it is not a tar archive', cause)),
    ),
  ]);
  for (const { name, target } of links) {
    const entry = files.get(target);
    if (entry) files.set(name, entry);
  }
  return files;
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new CodedError(
      'IMAGE_ARCHIVE_NOT_READABLE',
      `the image archive ${file} can't be read`,
      'Check the path and its permissions.',
      { cause },
    );
  });
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}

async function readOciLayout(file: string, files: Files): Promise<ArchiveImage[]> {
  const index = await readJson<ImageIndex>(file, files, 'index.json');
  const images: ArchiveImage[] = [];
  for (const target of index.manifests ?? []) {
    const blobs = await collect(file, files, target);
    if (!blobs) continue;
    const annotations = target.annotations ?? {};
    const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
    const base = { mediaType: target.mediaType, digest: target.digest, size: target.size };
    images.push({ names: name ? [normalizeImageName(name)] : [], target: base, blobs });
  }
  return images;
}

/** The blob and all below it, or `undefined` for another platform's manifest whose blobs the archive may lack. */
async function collect(file: string, files: Files, target: Descriptor): Promise<ArchiveBlob[] | undefined> {
  if (target.mediaType === OCI_INDEX || target.mediaType === DOCKER_MANIFEST_LIST) {
    const index = await readJson<ImageIndex>(file, files, blobPath(target));
    const children: ArchiveBlob[] = [];
    const references: string[] = [];
    for (const child of index.manifests) {
      if (!files.has(blobPath(child))) continue;
      const blobs = await collect(file, files, child);
      if (!blobs) continue;
      children.push(...blobs);
      references.push(child.digest);
    }
    return references.length ? [...children, fileBlob(file, files, target, references)] : undefined;
  }
  if (
    target.platform &&
    target.platform.architecture !== imageArchitecture() &&
    target.platform.architecture !== 'unknown'
  )
    return undefined;
  const manifest = await readJson<Manifest>(file, files, blobPath(target));
  const children = [manifest.config, ...manifest.layers];
  return [
    ...children.map((child) => fileBlob(file, files, child, [])),
    fileBlob(
      file,
      files,
      target,
      children.map(({ digest }) => digest),
    ),
  ];
}

interface DockerSaveEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** `docker save` has no manifest of the registry's kind; one is made of its config and layers. */
async function readDockerSave(file: string, files: Files): Promise<ArchiveImage[]> {
  if (!files.has('manifest.json')) throw badArchive(file, 'it has neither index.json nor manifest.json');
  const entries = await readJson<DockerSaveEntry[]>(file, files, 'manifest.json');
  const images: ArchiveImage[] = [];
  for (const entry of entries) {
    const blobs: ArchiveBlob[] = [];
    const add = async (path: string, mediaType: string): Promise<Descriptor> => {
      const stored = files.get(posix.normalize(path));
      if (!stored) throw badArchive(file, `it lacks ${path}`);
      const type = mediaType === OCI_LAYER && (await isGzip(stored.path)) ? OCI_LAYER_GZIP : mediaType;
      const descriptor = { mediaType: type, digest: await digestOfFile(stored.path), size: stored.size };
      blobs.push({
        descriptor,
        references: [],
        chunks: () => createReadStream(stored.path, { highWaterMark: 1 << 20 }),
      });
      return descriptor;
    };
    const config = await add(entry.Config, OCI_CONFIG);
    const layers: Descriptor[] = [];
    for (const layer of entry.Layers) layers.push(await add(layer, OCI_LAYER));
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }));
    const target = descriptorOf(OCI_MANIFEST, manifest);
    blobs.push({
      descriptor: target,
      references: [config, ...layers].map(({ digest }) => digest),
      chunks: () => once(manifest),
    });
    images.push({ names: (entry.RepoTags ?? []).map(normalizeImageName), target, blobs });
  }
  return images;
}

function fileBlob(file: string, files: Files, descriptor: Descriptor, references: readonly string[]): ArchiveBlob {
  const stored = files.get(blobPath(descriptor));
  if (!stored) throw badArchive(file, `it lacks the blob ${descriptor.digest}`);
  return { descriptor, references, chunks: () => createReadStream(stored.path, { highWaterMark: 1 << 20 }) };
}

const blobPath = ({ digest }: Descriptor) => `blobs/${digest.replace(':', '/')}`;

async function* once(bytes: Uint8Array) {
  yield bytes;
}

async function digestOfFile(path: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return `sha256:${hash.digest('hex')}`;
}

async function readJson<T>(file: string, files: Files, name: string): Promise<T> {
  const stored = files.get(name);
  if (!stored || stored.size > 16 * 1024 * 1024) throw badArchive(file, `it lacks ${name}`);
  try {
    return JSON.parse(await readFile(stored.path, 'utf8')) as T;
  } catch (cause) {
    throw badArchive(file, `its ${name} is not JSON`, cause);
  }
}

function badArchive(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError(
    'IMAGE_ARCHIVE_INVALID',
    `${file} is not an image archive: ${why}`,
    'Give an archive in OCI layout, or one that `docker save` wrote.',
    { cause },
  );
}
