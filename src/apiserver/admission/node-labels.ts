/** Labels under kubernetes.io and k8s.io that a kubelet may set on its own Node. */
const ALLOWED = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.kubernetes.io/region',
  'failure-domain.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);
const ALLOWED_NAMESPACES = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const within = (namespace: string, domain: string) => namespace === domain || namespace.endsWith(`.${domain}`);

/** The labels that differ between `before` and `after` and that a kubelet may not touch, sorted. */
export function nodeLabelChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (label) => before[label] !== after[label],
  );
  return changed.filter(isReserved).sort();
}

function isReserved(label: string): boolean {
  const slash = label.indexOf('/');
  if (slash < 0) return false;
  const namespace = label.slice(0, slash);
  if (within(namespace, 'node-restriction.kubernetes.io')) return true;
  if (!within(namespace, 'kubernetes.io') && !within(namespace, 'k8s.io')) return false;
  return !ALLOWED.has(label) && !ALLOWED_NAMESPACES.some((allowed) => within(namespace, allowed));
}
