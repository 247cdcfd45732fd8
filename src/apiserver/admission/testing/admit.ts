import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../../sdk/admission.ts';
import type { AdmissionLookup, AdmissionObjects } from '../lookup.ts';

/** An AdmissionLookup over objects put into it. */
export class FakeLookup implements AdmissionLookup {
  readonly objects: { readonly resource: string; readonly object: UnstructuredObject }[] = [];

  put(resource: keyof AdmissionObjects, object: object): this {
    const whole = object as UnstructuredObject;
    this.remove(resource, whole.metadata.name, whole.metadata.namespace);
    this.objects.push({ resource, object: whole });
    return this;
  }

  remove(resource: keyof AdmissionObjects, name: string, namespace?: string): void {
    const index = this.objects.findIndex(
      (entry) =>
        entry.resource === resource &&
        entry.object.metadata.name === name &&
        (entry.object.metadata.namespace ?? '') === (namespace ?? ''),
    );
    if (index >= 0) this.objects.splice(index, 1);
  }

  get<K extends keyof AdmissionObjects>(
    resource: K,
    name: string,
    namespace?: string,
  ): AdmissionObjects[K] | undefined {
    return this.list(resource, namespace).find(({ metadata }) => metadata.name === name);
  }

  list<K extends keyof AdmissionObjects>(resource: K, namespace?: string): readonly AdmissionObjects[K][] {
    return this.objects
      .filter(
        (entry) =>
          entry.resource === resource && (namespace === undefined || entry.object.metadata.namespace === namespace),
      )
      .map(({ object }) => object as unknown as AdmissionObjects[K]);
  }
}

export interface Outcome {
  readonly object: Draft<UnstructuredObject>;
  readonly warnings: readonly string[];
  readonly audit: ReadonlyMap<string, string>;
}

/** Sends a request through one step as the API server does. `resource` is `group/plural`, or the plural of the core group. */
export async function admit(
  step: AdmissionStep,
  resource: string,
  object: object | undefined,
  change: Partial<AdmissionAttributes> = {},
): Promise<Outcome> {
  const warnings: string[] = [];
  const audit = new Map<string, string>();
  const slash = resource.lastIndexOf('/');
  const given = object as UnstructuredObject | undefined;
  const attributes: AdmissionAttributes = {
    operation: 'CREATE',
    kind: { group: slash < 0 ? '' : resource.slice(0, slash), version: 'v1', kind: given?.kind ?? '' },
    resource: { group: slash < 0 ? '' : resource.slice(0, slash), version: 'v1', resource: resource.slice(slash + 1) },
    subresource: '',
    namespace: given?.metadata?.namespace ?? '',
    name: given?.metadata?.name ?? '',
    user: { name: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
    options: {},
    warn: (message) => warnings.push(message),
    annotateAudit: (key, value) => audit.set(key, value),
    ...change,
  };
  const copy = draft(given ?? ({} as UnstructuredObject)) as Draft<UnstructuredObject>;
  if (step.handles(attributes)) {
    if (given) await step.mutate?.(attributes, copy);
    await step.validate?.(attributes, given ? (copy as UnstructuredObject) : undefined);
  }
  return { object: copy, warnings, audit };
}

export const pod = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
