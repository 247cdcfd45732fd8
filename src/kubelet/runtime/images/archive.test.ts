import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, it } from 'vitest';
import { openImageArchive } from './archive.ts';
import { buildImageTar } from './image-tar.ts';
import { digestOf } from './oci.ts';

const directory = mkdtempSync(join(tmpdir(), 'archive-'));
afterAll(() => rmSync(directory, { recursive: true }));
const spec = {
  ref: 'app:1',
  layers: [[{ path: 'bin/app', mode: 0o755, content: 'x' }]],
  config: { Cmd: ['/bin/app'] },
};

function save(name: string, bytes: Uint8Array): string {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

describe('openImageArchive', () => {
  it('reads what buildImageTar wrote, gzipped or not, and the same spec gives the same bytes', async () => {
    const tar = await buildImageTar(spec);
    expect(Buffer.compare(tar, await buildImageTar(spec))).toBe(0);
    for (const file of [save('oci.tar', tar), save('oci.tar.gz', gzipSync(tar))]) {
      const archive = await openImageArchive(file);
      const [image] = archive.images;
      expect(image?.names).toEqual(['docker.io/library/app:1']);
      expect(image?.blobs.at(-1)?.descriptor.digest).toBe(image?.target.digest);
      for (const blob of image?.blobs ?? [])
        expect(digestOf(await buffer(Readable.from(blob.chunks())))).toBe(blob.descriptor.digest);
      await archive.close();
    }
  });

  it('makes a manifest for what docker save wrote', async () => {
    const tar = pack();
    tar.entry(
      { name: 'abc.json' },
      JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
    );
    tar.entry({ name: 'l1/layer.tar' }, 'layer one');
    tar.entry({ name: 'l2/layer.tar', type: 'symlink', linkname: '../l1/layer.tar' });
    tar.entry(
      { name: 'manifest.json' },
      JSON.stringify([
        { Config: 'abc.json', RepoTags: ['web:2', 'web:latest'], Layers: ['l1/layer.tar', 'l2/layer.tar'] },
      ]),
    );
    tar.finalize();
    const archive = await openImageArchive(save('docker.tar', await buffer(Readable.from(tar))));
    expect(archive.images[0]?.names).toEqual(['docker.io/library/web:2', 'docker.io/library/web:latest']);
    expect(archive.images[0]?.blobs).toHaveLength(4);
    await archive.close();
  });

  it('says what is wrong with anything else', async () => {
    await expect(openImageArchive(join(directory, 'none'))).rejects.toMatchObject({
      code: 'IMAGE_ARCHIVE_NOT_READABLE',
    });
    await expect(openImageArchive(save('text', Buffer.from('hello')))).rejects.toMatchObject({
      code: 'IMAGE_ARCHIVE_INVALID',
    });
    await expect(
      openImageArchive(save('cut.tar', (await buildImageTar(spec)).subarray(0, 2000))),
    ).rejects.toMatchObject({ code: 'IMAGE_ARCHIVE_INVALID' });
  });
});
