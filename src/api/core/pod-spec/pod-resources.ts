import { type FieldError, type FieldPath, forbiddenField, invalidValue } from '../../../apimachinery/field.ts';
import type { PodSpec } from '../../types/core.v1.gen.ts';
import { aggregate } from './aggregates.ts';
import { isHugePages, parseAmount, validateResourceRequirements } from './resources.ts';

/** Resources of the whole pod: cpu, memory and huge pages, with room for what its containers ask for. */
export function validatePodResources(
  spec: PodSpec,
  claimNames: ReadonlySet<string>,
  path: FieldPath,
  dividedHugePages: boolean,
): FieldError[] {
  const { resources } = spec;
  if (!resources) return [];
  if (spec.os?.name === 'windows') return [forbiddenField(path, 'may not be set for a windows pod')];
  const errors: FieldError[] = [];
  if (resources.claims)
    errors.push(forbiddenField(path.child('claims'), 'claims may not be set for Resources at pod-level'));
  errors.push(...validateResourceRequirements(resources, path, claimNames, 'pod', dividedHugePages));
  for (const list of ['requests', 'limits'] as const) {
    for (const [name, together] of aggregate(spec, list)) {
      if (list === 'limits' && !isHugePages(name)) continue;
      const own = parseAmount(resources[list]?.[name]);
      if (own && together.cmp(own) > 0)
        errors.push(
          invalidValue(
            path.child(list).key(name),
            own.toString(),
            `must be greater than or equal to aggregate container ${list} of ${together}`,
          ),
        );
    }
  }
  spec.containers?.forEach((container, index) => {
    for (const [name, text] of Object.entries(container.resources?.limits ?? {})) {
      const own = parseAmount(resources.limits?.[name]);
      const limit = parseAmount(text);
      if (own && limit && limit.cmp(own) > 0)
        errors.push(
          invalidValue(
            path.child('containers').index(index).key(name).child('limits'),
            limit.toString(),
            `must be less than or equal to pod limits of ${own}`,
          ),
        );
    }
  });
  return errors;
}
