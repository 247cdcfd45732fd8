import { isStatusError, notFound } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { rejected } from './rejection.ts';

const isInNamespace = ({ namespace, kind }: AdmissionAttributes) =>
  namespace !== '' && !(kind.group === '' && kind.kind === 'Namespace');

/** A namespace that is missing is made with the first object in it. Off by default. */
export function namespaceAutoProvision(
  lookup: AdmissionLookup,
  createNamespace: (name: string) => Promise<unknown>,
): AdmissionStep {
  return {
    name: 'NamespaceAutoProvision',
    handles: (attributes) => attributes.operation === 'CREATE' && !attributes.dryRun && isInNamespace(attributes),
    async mutate(attributes, object) {
      if (lookup.get('namespaces', attributes.namespace)) return;
      await createNamespace(attributes.namespace).catch((error: Error) => {
        if (!isStatusError(error, 'AlreadyExists')) throw rejected(attributes, object, error.message);
      });
    },
  };
}

/** What is done in a namespace needs one that is there. Off by default: NamespaceLifecycle sees to it too. */
export function namespaceExists(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'NamespaceExists',
    handles: (attributes) => attributes.operation !== 'CONNECT' && isInNamespace(attributes),
    async validate({ namespace }) {
      if (!(await find(lookup, 'namespaces', namespace)))
        throw notFound({ group: '', resource: 'namespaces' }, namespace);
    },
  };
}
