import { humanDuration } from '../../apimachinery/age.ts';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { ageColumn, column, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define.ts';
import { optionalOneOf, repeatedIndexes, requiredOneOf } from '../field-checks.ts';
import type { CertificateSigningRequest } from '../types/certificates.v1.gen.ts';
import { certificateChainProblem, checkCertificationRequest } from './certification-request.ts';
import { validateSignerName } from './signer-name.ts';

const spec = FieldPath.of('spec');
const conditionsPath = FieldPath.of('status', 'conditions');
const certificatePath = FieldPath.of('status', 'certificate');

const usages = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign', 'data encipherment'],
  ...['decipher only', 'digital signature', 'email protection', 'encipher only', 'ipsec end system', 'ipsec tunnel'],
  ...['ipsec user', 'key agreement', 'key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime'],
  ...['server auth', 'signing', 'timestamping'],
];

const approvals = ['Approved', 'Denied'];
const legacySigner = 'kubernetes.io/legacy-unknown';

export const certificateSigningRequest = defineKind<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  nameFormat: 'path',
  // Who asks is not the client's to say: the API server fills these in from the request, after this.
  prepareForCreate: ({ spec }) => {
    if (!spec) return;
    for (const field of ['username', 'uid', 'groups', 'extra'] as const) delete spec[field];
  },
  // The request itself never changes.
  prepareForUpdate: (object, old) => {
    object.spec = draft(old.spec);
  },
  validate: (object, old) => [...validateSpec(object, old), ...validateConditions(object, old)],
  validateUpdate: (object, old) => validateKeptConditions(object, old),
  subresources: {
    status: {
      prepareForUpdate: (object, old) => {
        object.spec = draft(old.spec);
        keepApproval(object, old);
        stampConditions(object, old);
      },
      validateUpdate: (object, old) => [
        ...validateConditions(object, old),
        ...validateCertificate(object, old),
        ...validateKeptConditions(object, old),
        ...validateNoApproval(object, old),
        ...validateKeptCertificate(object, old),
      ],
    },
  },
  columns: [
    nameColumn,
    ageColumn,
    column('SignerName', ({ spec }) => orNone(spec.signerName), { description: 'Signer that is asked' }),
    column('Requestor', ({ spec }) => spec.username ?? '', { description: 'User who asks' }),
    column(
      'RequestedDuration',
      ({ spec }) => (spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)),
      { description: 'How long the certificate should hold' },
    ),
    column('Condition', requestState, { description: 'What became of the request' }),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
});

/** A write to `/approval`: only the conditions change. */
export function prepareApproval(
  object: Draft<CertificateSigningRequest>,
  old: CertificateSigningRequest,
  now = new Date(),
): void {
  const conditions = object.status?.conditions;
  object.spec = draft(old.spec);
  object.status = { ...draft(old.status ?? {}), ...(conditions ? { conditions } : {}) };
  if (!conditions) delete object.status.conditions;
  stampConditions(object, old, now);
}

export function validateApproval(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  return [...validateConditions(object, old), ...validateKeptConditions(object, old)];
}

/** Times of new and changed conditions, where the client left them out. */
function stampConditions(
  object: Draft<CertificateSigningRequest>,
  old: CertificateSigningRequest,
  now = new Date(),
): void {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  for (const condition of object.status?.conditions ?? []) {
    condition.lastUpdateTime ??= time;
    if (condition.lastTransitionTime) continue;
    const before = old.status?.conditions?.find(
      ({ type, status, lastTransitionTime }) =>
        type === condition.type && status === condition.status && lastTransitionTime,
    );
    condition.lastTransitionTime = before?.lastTransitionTime ?? time;
  }
}

/** Usages and signers that new requests may not name stay with those that have them. */
function validateSpec(
  { spec: request }: CertificateSigningRequest,
  old: CertificateSigningRequest | undefined,
): FieldError[] {
  const before = old?.spec?.usages ?? [];
  const { request: encoded = '', usages: asked = [], signerName, expirationSeconds } = request ?? {};
  const errors: FieldError[] = [];
  try {
    checkCertificationRequest(Buffer.from(encoded, 'base64').toString());
  } catch (error) {
    errors.push(invalidValue(spec.child('request'), encoded, (error as Error).message));
  }
  if (asked.length === 0) errors.push(required(spec.child('usages')));
  if (before.every((usage) => usages.includes(usage)))
    asked.forEach((usage, index) => {
      errors.push(...optionalOneOf(spec.child('usages').index(index), usage, usages));
    });
  if (repeatedIndexes(before).size === 0)
    for (const index of repeatedIndexes(asked)) errors.push(duplicate(spec.child('usages').index(index), asked[index]));
  if (signerName === legacySigner && old?.spec?.signerName !== legacySigner)
    errors.push(
      invalidValue(spec.child('signerName'), signerName, 'the legacy signerName is not allowed via this API version'),
    );
  else errors.push(...validateSignerName(spec.child('signerName'), signerName));
  if (expirationSeconds !== undefined && expirationSeconds < 600)
    errors.push(
      invalidValue(
        spec.child('expirationSeconds'),
        expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  return errors;
}

/** What is wrong with the old conditions already may stay so. */
function validateConditions(
  { status }: CertificateSigningRequest,
  old: CertificateSigningRequest | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  const before = (old?.status?.conditions ?? []).map(({ type }) => type ?? '');
  const mayContradict = approvals.every((type) => before.includes(type));
  const mayRepeat = new Set(before).size < before.length;
  (status?.conditions ?? []).forEach(({ type = '', status: value }, index) => {
    const path = conditionsPath.index(index);
    if (type === '' && !before.includes('')) errors.push(required(path.child('type')));
    const onlyTrue = [...approvals, 'Failed'].includes(type);
    errors.push(...requiredOneOf(path.child('status'), value, onlyTrue ? ['True'] : ['False', 'True', 'Unknown']));
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (opposite && seen.has(opposite) && !mayContradict)
      errors.push(invalidValue(conditionsPath, type, 'Approved and Denied conditions are mutually exclusive'));
    if (seen.has(type) && !mayRepeat) errors.push(duplicate(path.child('type'), type));
    seen.add(type);
  });
  return errors;
}

function countConditions({ status }: CertificateSigningRequest, wanted: string): number {
  return (status?.conditions ?? []).filter(({ type }) => type === wanted).length;
}

/** Approval has its own subresource: here its conditions stay as they were, those taken away or added are refused later. */
function keepApproval(object: Draft<CertificateSigningRequest>, old: CertificateSigningRequest): void {
  const { conditions } = object.status ?? {};
  if (!conditions) return;
  for (const approval of approvals) {
    const before = (old.status?.conditions ?? []).filter(({ type }) => type === approval);
    const indexes = conditions.flatMap(({ type }, index) => (type === approval ? [index] : []));
    if (before.length !== indexes.length) continue;
    indexes.forEach((index, which) => {
      conditions[index] = draft(before[which]) as (typeof conditions)[number];
    });
  }
}

function validateNoApproval(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  return approvals.flatMap((type) =>
    countConditions(object, type) > countConditions(old, type)
      ? [forbiddenField(conditionsPath, `updates may not add a condition of type ${JSON.stringify(type)}`)]
      : [],
  );
}

/** Approved, Denied and Failed are final. */
function validateKeptConditions(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  return [...approvals, 'Failed'].flatMap((type) =>
    countConditions(object, type) < countConditions(old, type)
      ? [forbiddenField(conditionsPath, `updates may not remove a condition of type ${JSON.stringify(type)}`)]
      : [],
  );
}

const certificateOf = ({ status }: CertificateSigningRequest) => status?.certificate ?? '';

function validateCertificate(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  const certificate = certificateOf(object);
  const before = certificateOf(old);
  if (certificate === before || certificate === '') return [];
  const problemOf = (encoded: string) => certificateChainProblem(Buffer.from(encoded, 'base64').toString());
  const problem = before !== '' && problemOf(before) ? undefined : problemOf(certificate);
  return problem ? [invalidValue(certificatePath, '<certificate data>', problem)] : [];
}

function validateKeptCertificate(object: CertificateSigningRequest, old: CertificateSigningRequest): FieldError[] {
  return certificateOf(old) === '' || certificateOf(object) === certificateOf(old)
    ? []
    : [forbiddenField(certificatePath, 'updates may not modify existing certificate content')];
}

function requestState({ status }: CertificateSigningRequest): string {
  const has = (wanted: string) => (status?.conditions ?? []).some(({ type }) => type === wanted);
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return decision + (has('Failed') ? ',Failed' : '') + (status?.certificate ? ',Issued' : '');
}
