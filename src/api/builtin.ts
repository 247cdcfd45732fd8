import { parseApiVersion } from '../apimachinery/meta.ts';
import { kinds as admissionregistration } from './admissionregistration/index.ts';
import { kinds as apiextensions } from './apiextensions/index.ts';
import { kinds as apiregistration } from './apiregistration/index.ts';
import { kinds as apps } from './apps/index.ts';
import { kinds as authentication } from './authentication/index.ts';
import { kinds as authorization } from './authorization/index.ts';
import { kinds as autoscaling } from './autoscaling/index.ts';
import { kinds as batch } from './batch/index.ts';
import { kinds as certificates } from './certificates/index.ts';
import { kinds as coordination } from './coordination/index.ts';
import { kinds as core } from './core/index.ts';
import { defineKind, resourceRows } from './define.ts';
import { kinds as discovery } from './discovery/index.ts';
import { kinds as events } from './events/index.ts';
import { kinds as flowcontrol } from './flowcontrol/index.ts';
import { kinds as k8ts } from './k8ts/index.ts';
import type { KindDefinition } from './kind.ts';
import { kinds as networking } from './networking/index.ts';
import { kinds as node } from './node/index.ts';
import { kinds as policy } from './policy/index.ts';
import { kinds as rbac } from './rbac/index.ts';
import { kinds as resource } from './resource/index.ts';
import { kinds as scheduling } from './scheduling/index.ts';
import { kinds as storage } from './storage/index.ts';
import { kinds as storagemigration } from './storagemigration/index.ts';

/**
 * Every built-in kind: those of the GA versions that Kubernetes 1.36 serves by default, in the order of the facts,
 * then StorageVersionMigration (a beta, without which values could not be stored anew on demand) and k8ts's own. A kind without a file of its own is served with its schema alone.
 */
export function builtinKinds(): readonly KindDefinition[] {
  const written = new Map(
    [
      ...[core, admissionregistration, apiextensions, apiregistration, apps, authentication, authorization],
      ...[autoscaling, batch, certificates, coordination, discovery, events, flowcontrol, networking, node],
      ...[policy, rbac, resource, scheduling, storage, storagemigration, k8ts],
    ]
      .flat()
      .map((definition) => [keyOf(definition), definition] as const),
  );
  const all: KindDefinition[] = [];
  for (const row of resourceRows) {
    if (row.name.includes('/') || !isGa(row.groupVersion)) continue;
    const gvk = { ...parseApiVersion(row.groupVersion), kind: row.kind };
    const definition = written.get(keyOf(gvk));
    written.delete(keyOf(gvk));
    all.push(definition ?? defineKind(gvk));
  }
  return [...all, ...written.values()];
}

const keyOf = (gvk: { readonly group: string; readonly version: string; readonly kind: string }) =>
  `${gvk.group}/${gvk.version}/${gvk.kind}`;

const isGa = (groupVersion: string) => /(^|\/)v\d+$/.test(groupVersion);
