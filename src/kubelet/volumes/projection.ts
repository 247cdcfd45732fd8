import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from '../../api/types/core.v1.gen.ts';
import { containerResourceValue, podFieldValue, type Resources } from '../containers/pod-fields.ts';
import type { PayloadFile } from './atomic-writer.ts';

export const DEFAULT_MODE = 0o644;

/** The files of a ConfigMap: all keys, or the ones that `items` name under their paths. Throws for a key that is not there. */
export function configMapFiles(
  configMap: ConfigMap,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
): Map<string, PayloadFile> {
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(configMap.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(configMap.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return select(data, items, mode, optional, 'configmap');
}

export function secretFiles(
  secret: Secret,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
): Map<string, PayloadFile> {
  const data = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(secret.data ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return select(data, items, mode, optional, 'secret');
}

function select(
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  optional: boolean,
  what: string,
) {
  const files = new Map<string, PayloadFile>();
  if (!items?.length) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode });
    return files;
  }
  for (const item of items) {
    const bytes = data.get(item.key);
    if (bytes) files.set(item.path, { data: bytes, mode: item.mode ?? mode });
    else if (!optional) throw new Error(`${what} references non-existent config key: ${item.key}`);
  }
  return files;
}

export function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[],
  mode: number,
  allocatable: Resources,
): Map<string, PayloadFile> {
  const files = new Map<string, PayloadFile>();
  for (const item of items) {
    let value = '';
    if (item.fieldRef) value = podFieldValue(pod, item.fieldRef.fieldPath, { podIPs: [], hostIPs: [] });
    else if (item.resourceFieldRef) {
      const selector = item.resourceFieldRef;
      const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(
        ({ name }) => name === selector.containerName,
      );
      if (!container) throw new Error(`container ${selector.containerName ?? ''} not found`);
      value = containerResourceValue(selector, container, allocatable);
    }
    files.set(item.path, { data: Buffer.from(value), mode: item.mode ?? mode });
  }
  return files;
}
