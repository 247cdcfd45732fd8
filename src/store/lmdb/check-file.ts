import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { corruptStore } from './store-failure.ts';

/*
 * LMDB maps its file into memory and trusts it: a file that was cut off or overwritten ends the process with a signal
 * instead of an error. So its structure is checked first, against the layout of the liblmdb that lmdb 3 carries.
 */
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER = 24;
const BRANCH = 0x01;
const LEAF = 0x02;
const META = 0x08;
const NO_ROOT = 0xffffffffffffffffn;
/** All branch pages are visited, and leaves up to this many: it has to be quick. */
const MAX_LEAVES = 500;

interface Tree {
  readonly root: bigint;
  readonly depth: number;
}

interface Environment {
  readonly pageSize: number;
  readonly trees: readonly Tree[];
  readonly transaction: bigint;
}

/** Others lay their pages out in another way. */
const ARCHITECTURES = new Set(['x64', 'arm64']);

/** Throws DATASTORE_CORRUPT when `file` can't be opened safely. An absent or empty file is fine. */
export function checkLmdbFile(file: string): void {
  if (!ARCHITECTURES.has(process.arch)) return;
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return;
    const fail = (why: string) => corruptStore(file, why);
    const environment = newest(fd, size);
    if (!environment) throw fail('it does not begin like a datastore');
    const { pageSize } = environment;
    const page = Buffer.alloc(pageSize);
    const pending = environment.trees.map(({ root, depth }) => ({ number: root, depth }));
    let leaves = 0;
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { number, depth } = next;
      const at = Number(number) * pageSize;
      if (at + pageSize > size) throw fail('its end is missing');
      if (readSync(fd, page, 0, pageSize, at) !== pageSize) throw fail('its end is missing');
      const flags = page.readUInt16LE(18);
      const nodes = page.readUInt16LE(20) >> 1;
      if (page.readBigUInt64LE(0) !== number || !(flags & (BRANCH | LEAF)) || PAGE_HEADER + nodes * 2 > pageSize)
        throw fail(`page ${number} holds something else`);
      if (flags & LEAF) {
        leaves++;
        if (!leafIsSound(page, nodes, pageSize, size)) throw fail(`page ${number} holds something else`);
        continue;
      }
      for (let i = 0; i < nodes; i++) {
        const node = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + i * 2);
        if (node + 8 > pageSize) throw fail(`page ${number} holds something else`);
        const child = BigInt(page.readUInt32LE(node)) + (BigInt(page.readUInt16LE(node + 4)) << 32n);
        if ((Number(child) + 1) * pageSize > size) throw fail('its end is missing');
        if (depth > 2 || leaves + pending.length < MAX_LEAVES) pending.push({ number: child, depth: depth - 1 });
      }
    }
  } finally {
    closeSync(fd);
  }
}

function newest(fd: number, size: number): Environment | undefined {
  const first = readMeta(fd, 0);
  const pageSize = first?.pageSize ?? 4096;
  const second = size >= 2 * pageSize ? readMeta(fd, pageSize) : undefined;
  if (!first || !second) return undefined;
  return first.transaction > second.transaction ? first : second;
}

function readMeta(fd: number, at: number): Environment | undefined {
  const bytes = Buffer.alloc(PAGE_HEADER + 144);
  if (readSync(fd, bytes, 0, bytes.length, at) < bytes.length) return undefined;
  const meta = bytes.subarray(PAGE_HEADER);
  const pageSize = meta.readUInt32LE(24);
  const sound =
    (bytes.readUInt16LE(18) & META) !== 0 && meta.readUInt32LE(0) === MAGIC && meta.readUInt32LE(4) === DATA_VERSION;
  if (!sound || pageSize < 256 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
  const trees = [24, 72]
    .map((tree) => ({ root: meta.readBigUInt64LE(tree + 40), depth: meta.readUInt16LE(tree + 6) }))
    .filter(({ root }) => root !== NO_ROOT);
  return { pageSize, trees, transaction: meta.readBigUInt64LE(128) };
}

function leafIsSound(page: Buffer, nodes: number, pageSize: number, size: number): boolean {
  for (let i = 0; i < nodes; i++) {
    const node = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + i * 2);
    if (node + 8 > pageSize) return false;
    const data = node + 8 + page.readUInt16LE(node + 6);
    if ((page.readUInt16LE(node + 4) & 0x01) === 0) {
      if (data + page.readUInt32LE(node) > pageSize) return false;
      continue;
    }
    // The data is on pages of its own.
    if (data + 24 > pageSize) return false;
    const first = page.readBigUInt64LE(data);
    const pages = page.readBigUInt64LE(data + 16);
    if ((first + pages) * BigInt(pageSize) > BigInt(size)) return false;
  }
  return true;
}
