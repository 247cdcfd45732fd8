import type { AdmissionStep } from '../../sdk/admission.ts';
import { rejected } from './rejection.ts';

/** Changes and refuses nothing. Off by default, and without a use. */
export const alwaysAdmit: AdmissionStep = { name: 'AlwaysAdmit', handles: () => false };

/** Refuses all changes. Off by default; for tests of clients. */
export const alwaysDeny: AdmissionStep = {
  name: 'AlwaysDeny',
  handles: () => true,
  validate(attributes, object) {
    throw rejected(attributes, object, 'admission control is denying all modifications');
  },
};
