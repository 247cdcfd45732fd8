import { isBestEffort } from '../../api/quota/pod-usage.ts';
import type { Namespace, Pod, Toleration } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { notFound } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { covers, mergedTolerations } from './merge-tolerations.ts';
import { failed, isFor } from './rejection.ts';

/** Of namespaces without annotations: what their pods tolerate in any case, and what they may tolerate when that is limited. */
export interface TolerationRules {
  readonly defaults: readonly Toleration[];
  readonly whitelist: readonly Toleration[];
}

const DEFAULTS = 'scheduler.alpha.kubernetes.io/defaultTolerations';
const WHITELIST = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist';
const MEMORY_PRESSURE: Toleration = {
  key: 'node.kubernetes.io/memory-pressure',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** Pods tolerate what their namespace says, and no more than it allows. Off by default. */
export function podTolerationRestriction(
  lookup: AdmissionLookup,
  rules: TolerationRules = { defaults: [], whitelist: [] },
): AdmissionStep {
  async function namespaceOf({ namespace }: AdmissionAttributes): Promise<Namespace> {
    const found = await find(lookup, 'namespaces', namespace);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    return found;
  }
  return {
    name: 'PodTolerationRestriction',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'pods'),
    async mutate(attributes, object) {
      const { spec } = object as unknown as Draft<Pod>;
      const added = attributes.operation === 'CREATE' ? of(await namespaceOf(attributes), DEFAULTS) : [];
      const extra = [...(added ?? rules.defaults)];
      if (!isBestEffort(object as unknown as Pod)) extra.push(MEMORY_PRESSURE);
      if (extra.length) spec.tolerations = mergedTolerations([...(spec.tolerations ?? []), ...extra]);
    },
    async validate(attributes, object) {
      const { tolerations = [] } = (object as unknown as Pod).spec;
      if (tolerations.length === 0) return;
      const own = of(await namespaceOf(attributes), WHITELIST);
      const whitelist = own ?? rules.whitelist;
      if (whitelist.length === 0 || tolerations.every((one) => whitelist.some((wide) => covers(wide, one)))) return;
      throw failed(
        `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${own ? 'namespace' : 'cluster'} whitelist`,
      );
    },
  };
}

/** Of an annotation; undefined when it is not there. Throws StatusError when it can't be read. */
function of({ metadata }: Namespace, annotation: string): readonly Toleration[] | undefined {
  const text = metadata.annotations?.[annotation];
  if (text === undefined) return undefined;
  if (text === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failed(`the annotation ${annotation} of namespace ${metadata.name} is no JSON: ${(error as Error).message}`);
  }
  if (value === null) return [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'object' || one === null))
    throw failed(`the annotation ${annotation} of namespace ${metadata.name} is no list of tolerations`);
  return value;
}
