import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import { forbidden } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { UserInfo } from '../../sdk/user.ts';

const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const PROVISIONER = 'k8ts.dev/local-path';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const NODE_PREFIX = 'system:node:';

export interface NodeVolumeAdmissionOptions {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
}

/**
 * Nodes make and delete the PersistentVolumes that are folders of theirs, and no others: a volume of a node's must not lure the
 * pods of another.
 */
export function nodeVolumeAdmission({ claim }: NodeVolumeAdmissionOptions): AdmissionStep {
  return {
    name: 'NodeLocalVolumes',
    handles: ({ user, resource, operation }) =>
      resource.resource === 'persistentvolumes' && operation !== 'CONNECT' && nodeOf(user) !== undefined,
    validate(attributes, object) {
      const node = nodeOf(attributes.user)!;
      const volume = (attributes.operation === 'DELETE' ? attributes.oldObject : object) as
        | PersistentVolume
        | undefined;
      if (!volume) return;
      if (attributes.operation !== 'CREATE' && attributes.operation !== 'DELETE')
        throw refused(attributes, volume, 'can only create and delete PersistentVolumes');
      if (!isFolderOf(volume, node))
        throw refused(attributes, volume, `can only ${attributes.operation.toLowerCase()} local volumes of its own`);
      if (attributes.operation === 'CREATE' && selectedNode(volume, claim) !== node)
        throw refused(attributes, volume, 'can only create volumes for claims whose selected node it is');
    },
  };
}

function nodeOf({ name, groups }: UserInfo): string | undefined {
  return groups.includes('system:nodes') ? name.slice(NODE_PREFIX.length) : undefined;
}

function isFolderOf({ metadata, spec }: PersistentVolume, node: string): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const [expression, ...others] = terms[0]?.matchExpressions ?? [];
  return (
    metadata.annotations?.[PROVISIONED_BY] === PROVISIONER &&
    spec.local !== undefined &&
    terms.length === 1 &&
    others.length === 0 &&
    expression?.key === 'kubernetes.io/hostname' &&
    expression.operator === 'In' &&
    expression.values?.length === 1 &&
    expression.values[0] === node
  );
}

function selectedNode({ spec }: PersistentVolume, claim: NodeVolumeAdmissionOptions['claim']): string | undefined {
  const { namespace, name, uid } = spec.claimRef ?? {};
  const found = namespace && name ? claim(namespace, name) : undefined;
  return found?.metadata.uid === uid ? found?.metadata.annotations?.[SELECTED_NODE] : undefined;
}

function refused({ user, resource }: AdmissionAttributes, { metadata }: PersistentVolume, why: string): Error {
  return forbidden(resource, metadata.name ?? 'unknown', `node ${JSON.stringify(nodeOf(user))} ${why}`);
}
