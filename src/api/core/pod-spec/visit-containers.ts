import type { FieldPath } from '../../../apimachinery/field.ts';
import type { Container, EphemeralContainer, PodSpec } from '../../types/core.v1.gen.ts';

/** Calls `visit` for each container of a pod, init containers first, ephemeral ones last. */
export function visitContainers(
  spec: PodSpec,
  path: FieldPath,
  visit: (container: Container | EphemeralContainer, path: FieldPath) => void,
): void {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const)
    spec[list]?.forEach((container, index) => {
      visit(container, path.child(list).index(index));
    });
}
