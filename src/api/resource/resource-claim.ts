import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { internalForm } from '../core/internal-form.ts';
import { defineKind } from '../define.ts';
import { immutableMessage, semanticEqual } from '../field-checks.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type { ResourceClaim } from '../types/resource.v1.gen.ts';
import { dropDeallocatedDevices, validateClaimStatusUpdate } from './claim-status.ts';
import { defaultClaimSpec, validateClaimSpec } from './device-claim.ts';

const spec = FieldPath.of('spec');

export const resourceClaim = defineKind<ResourceClaim>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  default: (object) => defaultClaimSpec(object.spec),
  validateCreate: (object) => validateClaimSpec(spec, object.spec),
  validateUpdate: (object, old) =>
    semanticEqual(object.spec, old.spec)
      ? []
      : [invalidValue(spec, internalForm('ResourceClaimSpec', object.spec), immutableMessage)],
  subresources: {
    status: {
      prepareForUpdate: (object, old) => {
        keepLabelsAndAnnotations(object, old);
        dropDeallocatedDevices(object, old);
      },
      validateUpdate: validateClaimStatusUpdate,
    },
  },
  columns: [
    nameColumn,
    column('State', claimState, { description: 'Whether it is allocated and reserved' }),
    ageColumn,
  ],
});

function claimState({ metadata, status }: ResourceClaim): string {
  const states: string[] = metadata.deletionTimestamp ? ['deleted'] : [];
  if (status?.allocation) states.push('allocated', ...(status.reservedFor?.length ? ['reserved'] : []));
  else if (!metadata.deletionTimestamp) states.push('pending');
  return states.join(',');
}
