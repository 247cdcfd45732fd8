import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1123Subdomain, isQualifiedName } from '../../../apimachinery/names.ts';
import { validateSignerName } from '../../certificates/signer-name.ts';
import type {
  ClusterTrustBundleProjection,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
} from '../../types/core.v1.gen.ts';
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

/** Notes that a file is written; `shown`: what the error of a second writer shows. */
type Claim = (file: string, shown?: string) => FieldError[];

/**
 * Sources of the projected volume at `path`: one kind each, and no file written twice. `anyTokenPath`: tokens may go
 * anywhere.
 */
export function validateProjectedSources(
  sources: ProjectedVolumeSource['sources'],
  path: FieldPath,
  anyTokenPath: boolean,
): FieldError[] {
  const files = new Set<string>();
  const claim: Claim = (file, shown = file) => {
    if (files.has(file)) return [invalidValue(path, shown, 'conflicting duplicate paths')];
    files.add(file);
    return [];
  };
  return (sources ?? []).flatMap((source, index) => {
    const at = path.child('sources').index(index);
    const errors: FieldError[] = [];
    for (const kind of ['secret', 'configMap'] as const) {
      const projection = source[kind];
      if (!projection) continue;
      const { name = '', items = [] } = projection;
      if (!name) errors.push(required(at.child(kind, 'name')));
      items.forEach((item, i) => {
        errors.push(...validateItems([item], at.child(kind, 'items'), i));
        if (item.path) errors.push(...claim(item.path, name));
      });
    }
    for (const item of source.downwardAPI?.items ?? []) {
      errors.push(...validateDownwardFile(item, at.child('downwardAPI')));
      if (item.path) errors.push(...claim(item.path));
    }
    const { serviceAccountToken, clusterTrustBundle, podCertificate } = source;
    if (serviceAccountToken)
      errors.push(...validateToken(serviceAccountToken, path, at.child('serviceAccountToken'), anyTokenPath));
    if (clusterTrustBundle) errors.push(...validateBundle(clusterTrustBundle, at.child('clusterTrustBundle'), claim));
    if (podCertificate) errors.push(...validateCertificate(podCertificate, at.child('podCertificate'), claim));
    if (kinds.filter((kind) => source[kind] != null).length > 1)
      errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
    return errors;
  });
}

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;

/** What is wrong with the token's path is said of the volume, as upstream says it. */
function validateToken(
  token: ServiceAccountTokenProjection,
  volume: FieldPath,
  path: FieldPath,
  anyPath: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const { expirationSeconds: seconds, path: file } = token;
  const at = path.child('expirationSeconds');
  if (seconds === undefined) errors.push(required(at));
  else if (seconds < MIN_TOKEN_SECONDS)
    errors.push(invalidValue(at, seconds, 'may not specify a duration less than 10 minutes'));
  else if (seconds > MAX_TOKEN_SECONDS)
    errors.push(invalidValue(at, seconds, 'may not specify a duration larger than 2^32 seconds'));
  const filePath = volume.child('path');
  if (!file) return [...errors, required(filePath)];
  return anyPath ? errors : [...errors, ...validateFileName(file, filePath)];
}

function validateBundle(bundle: ClusterTrustBundleProjection, path: FieldPath, claim: Claim): FieldError[] {
  const { name, signerName, labelSelector, path: file = '' } = bundle;
  const errors: FieldError[] = [];
  if (name !== undefined && signerName !== undefined) {
    const shown = {
      Name: name,
      SignerName: signerName,
      LabelSelector: labelSelector ?? null,
      Optional: bundle.optional ?? null,
      Path: file,
    };
    errors.push(invalidValue(path, shown, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(path.child('name'), 'must be a valid object name'));
    for (const message of bundleNameMessages(name))
      errors.push(invalidValue(path.child('name'), name, `not a valid clustertrustbundlename: ${message}`));
    if (labelSelector)
      errors.push(
        invalidValue(path.child('labelSelector'), labelSelector, 'labelSelector must be unset if name is specified'),
      );
  } else if (signerName !== undefined) {
    const at = path.child('signerName');
    if (signerName === '') errors.push(required(at, 'must be a valid signer name'));
    errors.push(...validateSignerName(at, signerName));
    errors.push(...validateLabelSelector(labelSelector, path.child('labelSelector')));
  } else errors.push(required(path, 'either name or signerName must be specified'));
  const filePath = path.child('path');
  if (!file) errors.push(required(filePath));
  return [...errors, ...validateFileName(file, filePath), ...claim(file)];
}

/** A bundle of a signer carries the signer's name, with colons for slashes, before its own. */
const bundleNameMessages = (name: string) => isDns1123Subdomain(name.slice(name.lastIndexOf(':') + 1));

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const MIN_CERTIFICATE_SECONDS = 3600;
const MAX_CERTIFICATE_SECONDS = 91 * 86400;
const MAX_KUBERNETES_CERTIFICATE_SECONDS = 86400;

function validateCertificate(certificate: PodCertificateProjection, path: FieldPath, claim: Claim): FieldError[] {
  const { signerName = '', keyType = '', maxExpirationSeconds: seconds, userAnnotations } = certificate;
  const errors = validateSignerName(path.child('signerName'), signerName);
  for (const key of Object.keys(userAnnotations ?? {}))
    errors.push(...validateDomainPrefixedKey(path.child('userAnnotations'), key.toLowerCase()));
  if (!keyTypes.includes(keyType)) errors.push(notSupported(path.child('keyType'), keyType, keyTypes));
  if (seconds !== undefined) {
    const most = signerName.startsWith('kubernetes.io/') ? MAX_KUBERNETES_CERTIFICATE_SECONDS : MAX_CERTIFICATE_SECONDS;
    const wrong = (limit: string) =>
      invalidValue(path.child('maxExpirationSeconds'), seconds, `if provided, maxExpirationSeconds must be ${limit}`);
    if (seconds < MIN_CERTIFICATE_SECONDS) errors.push(wrong(`>= ${MIN_CERTIFICATE_SECONDS}`));
    if (seconds > most) errors.push(wrong(`<= ${most}`));
  }
  let files = 0;
  for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const) {
    const file = certificate[field];
    if (!file) continue;
    files++;
    errors.push(...validateFileName(file, path.child(field)), ...claim(file));
  }
  if (files === 0)
    errors.push(required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
  return errors;
}

function validateDomainPrefixedKey(path: FieldPath, key: string): FieldError[] {
  if (!key) return [required(path)];
  const messages = isQualifiedName(key);
  if (messages.length === 0 && !key.includes('/'))
    messages.push('must be a domain-prefixed key (such as "acme.io/foo")');
  return messages.map((message) => invalidValue(path, key, message));
}
