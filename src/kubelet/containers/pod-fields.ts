import type { Container, Pod, ResourceFieldSelector } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';

/** What of a pod's field values is known on the node alone. */
export interface PodAddresses {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
}

export type Resources = Readonly<Record<string, string>>;

/**
 * The value of a `fieldRef`, as env and downward API files show it. Throws an Error for a path that a pod has not.
 */
export function podFieldValue(pod: Pod, path: string, addresses: PodAddresses): string {
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(path);
  if (subscript) {
    const map = subscript[1] === 'metadata.labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return addresses.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return addresses.hostIPs.join(',');
    case 'status.podIP':
      return addresses.podIPs[0] ?? '';
    case 'status.podIPs':
      return addresses.podIPs.join(',');
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** `key="value"` lines, sorted, the value quoted as Go's %q does. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map?.[key])}`)
    .join('\n');
}

/** The value of a `resourceFieldRef`. A limit that is not set is what the node can give. */
export function containerResourceValue(
  selector: ResourceFieldSelector,
  container: Pick<Container, 'resources'>,
  allocatable: Resources,
): string {
  const [kind, ...rest] = selector.resource.split('.');
  const name = rest.join('.');
  const { limits, requests } = container.resources ?? {};
  let value: string | undefined;
  if (kind === 'limits') value = limits?.[name] ?? allocatable[name];
  else if (kind === 'requests') value = requests?.[name] ?? limits?.[name];
  else throw new Error(`unsupported container resource : ${selector.resource}`);
  const divisor = Quantity.parse(selector.divisor && selector.divisor !== '0' ? selector.divisor : '1');
  const quantity = Quantity.parse(value ?? '0');
  if (name === 'cpu') return String(Math.ceil(quantity.milliValue() / divisor.milliValue()));
  return String(Math.ceil(quantity.value() / divisor.value()));
}
