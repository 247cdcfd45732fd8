import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import type { ProjectedVolumeSource, VolumeProjection } from '../../types/core.v1.gen.ts';
import { validateFileName } from './paths.ts';
import { validateDownwardFile, validateItems } from './volume-files.ts';

const kinds = [
  'secret',
  'configMap',
  'downwardAPI',
  'serviceAccountToken',
  'clusterTrustBundle',
  'podCertificate',
] as const;

/** Sources of a projected volume: one kind each, and no file written twice. */
export function validateProjectedSources(sources: ProjectedVolumeSource['sources'], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const files = new Set<string>();
  (sources ?? []).forEach((source, index) => {
    const at = path.index(index);
    const [first, ...others] = kinds.filter((kind) => source[kind] != null);
    if (!first) return;
    const claim = (file: string | undefined, filePath: FieldPath) => {
      if (!file) return;
      if (files.has(file)) errors.push(invalidValue(filePath, file, 'conflicting duplicate paths'));
      files.add(file);
    };
    errors.push(...validateProjection(source, first, at.child(first), claim));
    for (const other of others)
      errors.push(forbiddenField(at.child(other), 'may not specify more than 1 volume type per source'));
  });
  return errors;
}

function validateProjection(
  source: VolumeProjection,
  kind: (typeof kinds)[number],
  path: FieldPath,
  claim: (file: string | undefined, path: FieldPath) => void,
): FieldError[] {
  switch (kind) {
    case 'secret':
    case 'configMap': {
      const projection = source[kind]!;
      const errors = projection.name ? [] : [required(path.child('name'))];
      errors.push(...validateItems(projection.items, path.child('items')));
      for (const item of projection.items ?? []) claim(item.path, path);
      return errors;
    }
    case 'downwardAPI': {
      const items = source.downwardAPI?.items ?? [];
      const errors = items.flatMap((item) => validateDownwardFile(item, path));
      for (const item of items) claim(item.path, path);
      return errors;
    }
    case 'serviceAccountToken': {
      const token = source.serviceAccountToken!;
      const errors: FieldError[] = [];
      const seconds = token.expirationSeconds ?? 3600;
      if (seconds < 600)
        errors.push(
          invalidValue(path.child('expirationSeconds'), seconds, 'may not specify a duration less than 10 minutes'),
        );
      if (seconds > 2 ** 32)
        errors.push(
          invalidValue(path.child('expirationSeconds'), seconds, 'may not specify a duration larger than 2^32 seconds'),
        );
      errors.push(...validateProjectedPath(token.path, path.child('path')));
      claim(token.path, path);
      return errors;
    }
    case 'clusterTrustBundle': {
      const bundle = source.clusterTrustBundle!;
      const errors: FieldError[] = [];
      if (!bundle.name && !bundle.signerName)
        errors.push(required(path, 'either name or signerName must be specified'));
      else if (bundle.name && bundle.signerName)
        errors.push(invalidValue(path, source, 'only one of name and signerName may be used'));
      if (bundle.labelSelector)
        errors.push(...validateLabelSelector(bundle.labelSelector, path.child('labelSelector')));
      errors.push(...validateProjectedPath(bundle.path, path.child('path')));
      claim(bundle.path, path);
      return errors;
    }
    case 'podCertificate': {
      const certificate = source.podCertificate!;
      const errors: FieldError[] = [];
      if (!certificate.signerName) errors.push(required(path.child('signerName')));
      if (!certificate.keyType) errors.push(required(path.child('keyType')));
      for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const) {
        const file = certificate[field];
        if (!file) continue;
        errors.push(...validateFileName(file, path.child(field)));
        claim(file, path.child(field));
      }
      return errors;
    }
  }
}

const validateProjectedPath = (file: string | undefined, path: FieldPath): FieldError[] =>
  file ? validateFileName(file, path) : [required(path)];
