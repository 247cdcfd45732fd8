import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutableMessage } from '../field-checks.ts';
import { networkOf, validateStrictCidr } from '../ip-addresses.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type { ServiceCIDR } from '../types/networking.v1.gen.ts';

const path = FieldPath.of('spec', 'cidrs');

export const serviceCidr = defineKind<ServiceCIDR>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  validate: (object) => validateCidrs(object.spec?.cidrs ?? []),
  validateUpdate: (object, old) => validateCidrsUpdate(object.spec?.cidrs ?? [], old.spec?.cidrs ?? []),
  subresources: { status: { prepareForUpdate: keepLabelsAndAnnotations } },
  columns: [
    nameColumn,
    column('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(','), {
      description: 'Ranges that Services get addresses from',
    }),
    ageColumn,
  ],
});

function validateCidrs(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')];
  const refused = (detail: string) => [invalidValue(path, { CIDRs: cidrs }, detail)];
  if (cidrs.length > 2) return refused('may only hold up to 2 values');
  const families = cidrs.map((cidr) => networkOf(cidr)?.family);
  if (families.length === 2 && (families.includes(undefined) || families[0] === families[1]))
    return refused('may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64');
  return cidrs.flatMap((cidr, index) => validateStrictCidr(path.index(index), cidr));
}

/** Nothing may change, except that a second family may be added. */
function validateCidrsUpdate(cidrs: readonly string[], old: readonly string[]): FieldError[] {
  if (cidrs.length !== old.length && !(old.length === 1 && cidrs.length === 2))
    return [invalidValue(path, cidrs, immutableMessage)];
  return old.flatMap((cidr, index) =>
    cidr === cidrs[index] ? [] : [invalidValue(path.index(index), cidrs[index], immutableMessage)],
  );
}
