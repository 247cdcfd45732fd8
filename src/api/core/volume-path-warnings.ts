import type { ProjectedVolumeSource, Volume } from '../types/core.v1.gen.ts';

interface File {
  readonly path: string;
  /** What writes it; empty where the volume has but one writer. */
  readonly source: string;
}

type Items = readonly { readonly path: string }[];

const quote = JSON.stringify;

/** More do not fit into a response. */
const MOST_WARNINGS = 100;

/** Of files in one volume that take each other's place, or the place of a directory that another is in. */
export function volumePathWarnings(volumes: readonly Volume[]): string[] {
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const single = (items: Items | undefined, kind: string) => overlaps(name, kind, filesOf(items, ''));
    return [
      ...single(configMap?.items, `ConfigMap ${quote(configMap?.name ?? '')}`),
      ...single(secret?.items, `Secret ${quote(secret?.secretName ?? '')}`),
      ...single(downwardAPI?.items, 'DownwardAPI'),
      ...(projected ? projectedWarnings(name, projected) : []),
    ];
  });
}

function projectedWarnings(volume: string, { sources = [] }: ProjectedVolumeSource): string[] {
  const empty = sources
    .filter((source) => Object.values(source).every((part) => part == null))
    .map(() => `volume ${quote(volume)} (Projected) has no sources provided`);
  return [...empty, ...overlaps(volume, 'Projected', sources.flatMap(projectedFiles))];
}

/** A source is of one kind: others are refused. */
function projectedFiles(source: NonNullable<ProjectedVolumeSource['sources']>[number]): readonly File[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (configMap?.items) return filesOf(configMap.items, `ConfigMap ${quote(configMap.name ?? '')}`);
  if (secret?.items) return filesOf(secret.items, `Secret ${quote(secret.name ?? '')}`);
  if (downwardAPI?.items) return filesOf(downwardAPI.items, 'DownwardAPI');
  if (serviceAccountToken) return filesOf([serviceAccountToken], 'ServiceAccountToken');
  if (clusterTrustBundle) {
    const { name, signerName = '' } = clusterTrustBundle;
    return filesOf([clusterTrustBundle], `ClusterTrustBundle ${quote(name ?? signerName)}`);
  }
  const { certificateChainPath, keyPath, credentialBundlePath } = podCertificate ?? {};
  const parts = [
    [certificateChainPath, 'PodCertificate chain'],
    [keyPath, 'PodCertificate key'],
    [credentialBundlePath, 'PodCertificate credential bundle'],
  ] as const;
  return parts.flatMap(([path, what]) => (path ? filesOf([{ path }], what) : []));
}

const filesOf = (items: Items | undefined, source: string): readonly File[] =>
  (items ?? []).map(({ path = '' }) => ({ path: path.replace(/\/+$/, ''), source }));

/** Earlier files are found by their path and by the directories they are in: volumes may have many thousand files. */
function overlaps(volume: string, kind: string, files: readonly File[]): string[] {
  const show = ({ path, source }: File) => (source ? `${quote(path)} (${source})` : quote(path));
  const at = new Map<string, number[]>();
  const within = new Map<string, number[]>();
  const warnings: string[] = [];
  for (const [index, file] of files.entries()) {
    if (file.path === '') continue;
    const directories = directoriesOf(file.path);
    const earlier = [
      ...[...directories, file.path].flatMap((path) => at.get(path) ?? []),
      ...(within.get(file.path) ?? []),
    ];
    for (const other of earlier.sort((a, b) => a - b))
      warnings.push(`volume ${quote(volume)} (${kind}): overlapping paths: ${show(file)} with ${show(files[other]!)}`);
    if (warnings.length > MOST_WARNINGS) break;
    add(at, file.path, index);
    for (const directory of directories) add(within, directory, index);
  }
  return warnings;
}

function directoriesOf(path: string): string[] {
  const directories: string[] = [];
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) directories.push(path.slice(0, end));
  return directories;
}

function add(lists: Map<string, number[]>, key: string, index: number): void {
  const list = lists.get(key);
  if (list) list.push(index);
  else lists.set(key, [index]);
}
