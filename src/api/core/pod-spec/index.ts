/** What a pod and a pod template have in common: defaults and semantic validation. */
export { validateAnnotations } from '../annotations.ts';
export { defaultPodTemplateSpec } from './defaults.ts';
export { dropDisabledTemplateFields } from './disabled-fields.ts';
export { validatePodSpec, validatePodTemplateSpec } from './validate.ts';
export { defaultClaimSpec } from './volume-defaults.ts';
