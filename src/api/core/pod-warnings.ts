import type { FieldPath } from '../../apimachinery/field.ts';
import type { PodSpec } from '../types/core.v1.gen.ts';

const replacedLabels: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};
const since: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'v1.14',
  'beta.kubernetes.io/os': 'v1.14',
};

/** What the API server warns about in a pod's spec, in a pod or in a template. `path` is the spec's. */
export function podSpecWarnings(spec: PodSpec | undefined, path: FieldPath): string[] {
  if (!spec) return [];
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const instead = replacedLabels[key];
    if (instead)
      warnings.push(
        `${path.child('nodeSelector').key(key)}: deprecated since ${since[key] ?? 'v1.17'}; use "${instead}" instead`,
      );
  }
  (spec.volumes ?? []).forEach((volume, index) => {
    if (volume.gitRepo)
      warnings.push(
        `${path.child('volumes').index(index).child('gitRepo')}: deprecated in v1.11, and disabled by default in v1.33+`,
      );
  });
  for (const list of ['initContainers', 'containers'] as const) {
    (spec[list] ?? []).forEach((container, index) => {
      const at = path.child(list).index(index);
      const names = new Set<string>();
      (container.env ?? []).forEach(({ name }, i) => {
        if (names.has(name))
          warnings.push(
            `${at.child('env').index(i)}: hides previous definition of "${name}", which may be dropped when using apply`,
          );
        names.add(name);
      });
      const ports = new Map<string, number>();
      (container.ports ?? []).forEach((port, i) => {
        const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort ?? 0}/${port.containerPort}`;
        const first = ports.get(key);
        if (first === undefined) ports.set(key, i);
        else
          warnings.push(
            `${at.child('ports').index(i)}: duplicate port definition with ${at.child('ports').index(first)}`,
          );
      });
    });
  }
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(
      `${path.child('terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  return warnings;
}
