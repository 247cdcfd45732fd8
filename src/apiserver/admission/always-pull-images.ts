import type { Pod } from '../../api/types/core.v1.gen.ts';
import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { isFor } from './rejection.ts';

const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Images are pulled for every pod, so that whoever may not pull one can't use what others have pulled. */
export const alwaysPullImages: AdmissionStep = {
  name: 'AlwaysPullImages',
  handles: (attributes) =>
    (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
    (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'ephemeralcontainers')),
  mutate(attributes, object) {
    const { spec } = object as unknown as Draft<Pod>;
    const old = (attributes.oldObject as unknown as Pod | undefined)?.spec;
    // Of a pod that is there, the policy is what it is unless the image changes.
    for (const list of LISTS)
      for (const [index, container] of (spec[list] ?? []).entries())
        if (!old || old[list]?.[index]?.image !== container.image) container.imagePullPolicy = 'Always';
    for (const { image } of spec.volumes ?? []) if (image && !old) image.pullPolicy = 'Always';
  },
  validate(attributes, object) {
    if (attributes.operation !== 'CREATE') return;
    const { spec, metadata } = object as unknown as Pod;
    const errors: FieldError[] = [];
    for (const list of LISTS)
      for (const [index, { imagePullPolicy }] of (spec[list] ?? []).entries())
        if (imagePullPolicy !== 'Always')
          errors.push(
            invalidValue(
              FieldPath.of('spec', list).index(index).child('imagePullPolicy'),
              imagePullPolicy,
              'Unsupported value: only "Always" is allowed',
            ),
          );
    if (errors.length) throw invalid({ group: '', kind: 'Pod' }, metadata.name, errors);
  },
};
