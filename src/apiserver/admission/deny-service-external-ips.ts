import type { Service } from '../../api/types/core.v1.gen.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { isFor, rejected } from './rejection.ts';

/** Services get no external IPs beyond those they have. */
export const denyServiceExternalIPs: AdmissionStep = {
  name: 'DenyServiceExternalIPs',
  handles: (attributes) =>
    (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'services'),
  validate(attributes, object) {
    const addresses = (service: unknown) => (service as Service | undefined)?.spec?.externalIPs ?? [];
    const had = new Set(addresses(attributes.oldObject));
    if (addresses(object).some((address) => !had.has(address)))
      throw rejected(attributes, object, 'Use of external IPs is denied by admission control.');
  },
};
