import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { notFound, StatusError } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { rejected } from './rejection.ts';

const IMMORTAL = ['default', 'kube-system', 'kube-public'];

/** Nothing is created in a namespace that does not exist or ends; some namespaces never end. */
export function namespaceLifecycle(lookup: AdmissionLookup): AdmissionStep {
  async function checkNamespace(
    attributes: AdmissionAttributes,
    object: UnstructuredObject | undefined,
  ): Promise<void> {
    const { operation, namespace } = attributes;
    const found = await find(lookup, 'namespaces', namespace);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    if (
      operation !== 'CREATE' ||
      (found.status?.phase !== 'Terminating' && found.metadata.deletionTimestamp === undefined)
    )
      return;
    const { status } = rejected(
      attributes,
      object,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
    const cause = {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    };
    throw new StatusError({ ...status, details: { ...status.details, causes: [cause] } });
  }

  return {
    name: 'NamespaceLifecycle',
    handles: ({ operation, namespace, kind, resource }) => {
      if (kind.kind === 'Namespace' && kind.group === '') return operation === 'DELETE';
      if (namespace === '' || operation === 'DELETE') return false;
      return !(resource.group === 'authorization.k8s.io' && resource.resource === 'localsubjectaccessreviews');
    },
    mutate: (attributes, object) => checkNamespace(attributes, object as unknown as UnstructuredObject),
    async validate(attributes, object) {
      const { operation, kind, name } = attributes;
      if (kind.kind === 'Namespace' && kind.group === '') {
        if (IMMORTAL.includes(name)) throw rejected(attributes, object, 'this namespace may not be deleted');
        return;
      }
      // Creates and updates were checked before anything else looked at them.
      if (operation === 'CONNECT') await checkNamespace(attributes, object);
    },
  };
}
