import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { defineKind } from '../define.ts';
import { semanticEqual } from '../field-checks.ts';
import type { DeviceClass } from '../types/resource.v1.gen.ts';
import { validateList } from './collections.ts';
import { maxConfigs, validateOpaque, validateSelectors } from './device-config.ts';

const spec = FieldPath.of('spec');

export const deviceClass = defineKind<DeviceClass>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  generation: 'spec',
  validate: ({ spec: given }, old) => {
    const { selectors, config, extendedResourceName } = given ?? {};
    const keepsSelectors = old !== undefined && semanticEqual(selectors, old.spec?.selectors);
    const keepsConfig = old !== undefined && semanticEqual(config, old.spec?.config);
    return [
      ...validateSelectors(spec.child('selectors'), selectors, keepsSelectors),
      ...validateList(spec.child('config'), config, maxConfigs, (at, each) => validateOpaque(at, each, keepsConfig)),
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
