import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { notFound } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { failed, isFor, rejected } from './rejection.ts';

type Labels = Readonly<Record<string, string>>;

/** Selectors by namespace: what its pods may select at most; `fallback` is for namespaces without an annotation. */
export interface NodeSelectors {
  readonly fallback: string;
  readonly ofNamespaces: Readonly<Record<string, string>>;
}

const ANNOTATION = 'scheduler.alpha.kubernetes.io/node-selector';

/** Pods select the nodes that their namespace says. Off by default. */
export function podNodeSelector(
  lookup: AdmissionLookup,
  { fallback, ofNamespaces }: NodeSelectors = { fallback: '', ofNamespaces: {} },
): AdmissionStep {
  async function selectorOf(namespace: string): Promise<Labels> {
    const found = await find(lookup, 'namespaces', namespace);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    return parseNodeSelector(found.metadata.annotations?.[ANNOTATION] ?? fallback);
  }
  function check(attributes: AdmissionAttributes, pod: Pod, demanded: Labels): void {
    const { nodeSelector = {} } = pod.spec;
    if (Object.entries(demanded).some(([key, value]) => nodeSelector[key] !== undefined && nodeSelector[key] !== value))
      throw rejected(attributes, pod, 'pod node label selector conflicts with its namespace node label selector');
    const permitted = parseNodeSelector(ofNamespaces[attributes.namespace] ?? '');
    if (Object.keys(permitted).length === 0) return;
    if (Object.entries({ ...demanded, ...nodeSelector }).some(([key, value]) => permitted[key] !== value))
      throw rejected(attributes, pod, 'pod node label selector labels conflict with its namespace whitelist');
  }
  return {
    name: 'PodNodeSelector',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
    async mutate(attributes, object) {
      const pod = object as unknown as Draft<Pod>;
      const demanded = await selectorOf(attributes.namespace);
      check(attributes, pod as Pod, demanded);
      if (Object.keys(demanded).length) pod.spec.nodeSelector = { ...demanded, ...pod.spec.nodeSelector };
    },
    async validate(attributes, object) {
      check(attributes, object as unknown as Pod, await selectorOf(attributes.namespace));
    },
  };
}

/** The labels of `env=test,disk=ssd`. Throws StatusError. */
function parseNodeSelector(text: string): Labels {
  if (text.trim() === '') return {};
  const labels: Record<string, string> = Object.create(null);
  for (const part of text.split(',')) {
    const pair = part.split('=');
    const [key = '', value] = pair;
    if (value === undefined || pair.length > 2) throw failed(`invalid selector: [${pair.join(' ')}]`);
    labels[key.trim()] = value.trim();
  }
  return labels;
}
