import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import type { ResourceHooks } from '../registry/resource-hooks.ts';

const GROUP = 'resource.k8s.io';

/** Device classes and claims with selectors that do not compile are refused when they are written; by `group/resource`. */
export function deviceSelectorHooks(): readonly (readonly [string, ResourceHooks])[] {
  return [
    [`${GROUP}/deviceclasses`, hooksOf('DeviceClass')],
    [`${GROUP}/resourceclaims`, hooksOf('ResourceClaim')],
    [`${GROUP}/resourceclaimtemplates`, hooksOf('ResourceClaimTemplate')],
  ];
}

function hooksOf(kind: string): ResourceHooks {
  const check = async (object: object, old: object | undefined): Promise<undefined> => {
    const { metadata, spec } = object as Written;
    if (deepEqual(spec, (old as Written | undefined)?.spec) || !hasSelector(spec)) return;
    // The engine for expressions is loaded for those that have some.
    const { checkDeviceSelectors } = await import('./check-device-selectors.ts');
    const errors = checkDeviceSelectors(spec);
    if (errors.length) throw invalid({ group: GROUP, kind }, metadata.name, errors);
  };
  return { beginCreate: (object) => check(object, undefined), beginUpdate: check };
}

interface Written {
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

function hasSelector(spec: unknown): boolean {
  return spec !== undefined && JSON.stringify(spec).includes('"expression":');
}
