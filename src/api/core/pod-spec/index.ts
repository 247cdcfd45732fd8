/** What a pod and a pod template have in common: defaults and semantic validation. */
export { defaultPodTemplateSpec } from './defaults.ts';
export { validateAnnotations, validatePodSpec, validatePodTemplateSpec } from './validate.ts';
export { defaultClaimSpec } from './volume-defaults.ts';
