import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { defineKind } from '../define.ts';
import type { DeviceClass } from '../types/resource.v1.gen.ts';
import { validateList } from './collections.ts';
import { maxConfigs, validateOpaque, validateSelectors } from './device-config.ts';

const spec = FieldPath.of('spec');

export const deviceClass = defineKind<DeviceClass>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  generation: 'spec',
  validate: ({ spec: given }) => {
    const { selectors, config, extendedResourceName } = given ?? {};
    return [
      ...validateSelectors(spec.child('selectors'), selectors),
      ...validateList(spec.child('config'), config, maxConfigs, validateOpaque),
      ...(extendedResourceName === undefined || isExtendedResource(extendedResourceName)
        ? []
        : [
            invalidValue(
              spec.child('extendedResourceName'),
              extendedResourceName,
              'must be a valid extended resource name',
            ),
          ]),
    ];
  },
});

/** A domain's own, and usable in a quota. */
function isExtendedResource(name: string): boolean {
  const domain = name.split('/')[0] ?? '';
  const native = !name.includes('/') || domain === 'kubernetes.io' || domain.endsWith('.kubernetes.io');
  return !native && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;
}
