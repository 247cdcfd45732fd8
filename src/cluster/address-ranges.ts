import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import { instanceId } from './node-site.ts';
import { isRunning, readRunState } from './run-state.ts';

/** Ranges of pods and of Services; real containers of two clusters on one host must not share them. */
export interface AddressRanges {
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
}

export interface RangeClaimOptions {
  readonly dataDir: string;
  /** Where the claims of all clusters of this host are; gone after a restart of the host. */
  readonly claimsDir?: string;
  /** The host's routes, as /proc/net/route has them. */
  readonly routesFile?: string;
}

const CLAIMS_DIR = '/run/k8ts/ranges';
/** 10.244 to 10.255 for pods, 10.96 to 10.107 for Services. */
const RANGES = 12;
/** In the data directory: objects in its datastore have addresses of these ranges. */
const REMEMBERED = 'address-ranges';

const rangesOf = (n: number): AddressRanges => ({
  clusterCIDR: `10.${244 + n}.0.0/16`,
  serviceCIDR: `10.${96 + n}.0.0/16`,
});

/**
 * Takes a pair of ranges for the cluster with this data directory: those it had before, else the first that no other
 * cluster and no route of the host has. A claim is held, running or not, until the directory is deleted; one of a
 * stopped cluster is taken over only when there are no others. Throws CodedError RANGES_TAKEN.
 */
export function claimAddressRanges(options: RangeClaimOptions): AddressRanges {
  const { dataDir, claimsDir = CLAIMS_DIR } = options;
  mkdirSync(claimsDir, { recursive: true, mode: 0o755 });
  const remembered = readRemembered(dataDir);
  if (remembered !== undefined) {
    if (!take(claimsDir, remembered, dataDir, (other) => isActive(other))) {
      const other = ownerOf(claimsDir, remembered);
      throw new CodedError(
        'RANGES_TAKEN',
        `the address ranges of ${dataDir} (${Object.values(rangesOf(remembered)).join(', ')}) are in use by the cluster with the data directory ${other}`,
        `Stop that one first (k8ts down --data-dir ${other}).`,
      );
    }
    return rangesOf(remembered);
  }
  const routes = routedSecondBytes(options.routesFile ?? '/proc/net/route');
  const free = Array.from({ length: RANGES }, (_, n) => n).filter((n) => !routes.has(244 + n) && !routes.has(96 + n));
  for (const blocks of [exists, isActive]) {
    for (const n of free) {
      if (!take(claimsDir, n, dataDir, blocks)) continue;
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      writeFileSync(join(dataDir, REMEMBERED), `${n}\n`, { mode: 0o600 });
      return rangesOf(n);
    }
  }
  throw new CodedError(
    'RANGES_TAKEN',
    'all address ranges for clusters of this host are in use',
    'Stop a cluster that is not needed (k8ts down), or choose ranges with --cluster-cidr and --service-cidr.',
  );
}

/** Gives back what the data directory claimed, before it is deleted. */
export function releaseAddressRanges({ dataDir, claimsDir = CLAIMS_DIR }: RangeClaimOptions): void {
  const n = readRemembered(dataDir);
  if (n !== undefined && ownerOf(claimsDir, n) === dataDir) rmSync(join(claimsDir, String(n)), { force: true });
}

/** Whether the claim is this directory's now. `blocks` tells of another's owner whether it may keep it. */
function take(claimsDir: string, n: number, dataDir: string, blocks: (owner: string) => boolean): boolean {
  const file = join(claimsDir, String(n));
  const owner = ownerOf(claimsDir, n);
  if (owner === dataDir) return true;
  if (owner !== undefined) {
    // A claim whose directory is in use for other ranges now is left over.
    if (blocks(owner) && [n, undefined].includes(readRemembered(owner))) return false;
    const stale = `${file}.${process.pid}`;
    try {
      renameSync(file, stale);
    } catch {
      return false; // another start was faster
    }
    rmSync(stale, { force: true });
  }
  try {
    writeFileSync(file, `${dataDir}\n`, { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function ownerOf(claimsDir: string, n: number): string | undefined {
  try {
    return readFileSync(join(claimsDir, String(n)), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

const exists = (dataDir: string): boolean => existsSync(dataDir);

/** It runs, or a killed one left its pods running. */
function isActive(dataDir: string): boolean {
  const state = readRunState(dataDir);
  if (state && isRunning(state)) return true;
  let ids = [instanceId(dataDir)];
  try {
    ids = [...ids, ...readdirSync(join(dataDir, 'nodes')).map((name) => instanceId(join(dataDir, 'nodes', name)))];
  } catch {
    // it has one node
  }
  return ids.some((id) => existsSync(`/sys/class/net/k8ts-${id}`));
}

function readRemembered(dataDir: string): number | undefined {
  try {
    const n = Number.parseInt(readFileSync(join(dataDir, REMEMBERED), 'utf8'), 10);
    return n >= 0 && n < RANGES ? n : undefined;
  } catch {
    return undefined;
  }
}

/** `y` of every route to 10.y.0.0/16 or a part of it. */
function routedSecondBytes(routesFile: string): Set<number> {
  const bytes = new Set<number>();
  try {
    for (const line of readFileSync(routesFile, 'utf8').split('\n').slice(1)) {
      const [, destination = '', , , , , , mask = ''] = line.split('\t');
      const address = Buffer.from(destination, 'hex').reverse();
      const prefix = Buffer.from(mask, 'hex').reverse();
      if (address[0] === 10 && prefix[0] === 255 && prefix[1] === 255) bytes.add(address[1]!);
    }
  } catch {
    // not Linux's: nothing is known
  }
  return bytes;
}
