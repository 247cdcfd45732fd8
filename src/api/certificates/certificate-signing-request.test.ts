import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FieldPath } from '../../apimachinery/field.ts';
import {
  certificateSigningRequest as definition,
  prepareApproval,
  validateApproval,
} from './certificate-signing-request.ts';
import { validateSignerName } from './signer-name.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const der = (tag: number, ...parts: Buffer[]) => {
  const content = Buffer.concat(parts);
  const length =
    content.length < 0x80
      ? Buffer.from([content.length])
      : Buffer.from([0x82, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), length, content]);
};

/** A PKCS#10 request with an empty subject. */
function requestOf(publicKey: KeyObject, privateKey: KeyObject, oid: string): string {
  const spki = publicKey.export({ format: 'der', type: 'spki' }) as Buffer;
  const info = der(0x30, der(0x02, Buffer.from([0])), der(0x30), spki, der(0xa0));
  const signature = sign('sha256', info, privateKey);
  const request = der(
    0x30,
    info,
    der(0x30, der(0x06, Buffer.from(oid, 'hex'))),
    der(0x03, Buffer.from([0]), signature),
  );
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${request.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  return Buffer.from(pem).toString('base64');
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ecOid = '2a8648ce3d040302';
const request = requestOf(ec.publicKey, ec.privateKey, ecOid);

const csr = (spec: object = {}, status?: object): Loose => ({
  metadata: { name: 'node-1' },
  spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], ...spec },
  ...(status ? { status } : {}),
});
const invalid = (spec: object) => (definition.validate?.(csr(spec)) ?? []).map(String);

describe('CertificateSigningRequest', () => {
  it('accepts requests signed by their own key only', () => {
    expect(invalid({})).toEqual([]);
    expect(invalid({ request: requestOf(rsa.publicKey, rsa.privateKey, '2a864886f70d01010b') })).toEqual([]);
    expect(
      invalid({
        request: requestOf(
          rsa.publicKey,
          createPrivateKey(
            generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
          ),
          '2a864886f70d01010b',
        ),
      })[0],
    ).toMatch(/x509: signature verification failed$/);
    expect(invalid({ request: Buffer.from('hello').toString('base64') })).toEqual([
      'spec.request: Invalid value: "aGVsbG8=": PEM block type must be CERTIFICATE REQUEST',
    ]);
    const truncated = Buffer.from(
      Buffer.from(request, 'base64')
        .toString()
        .replace(/.{40}\n-----END/, '\n-----END'),
    ).toString('base64');
    expect(invalid({ request: truncated })[0]).toMatch(/x509: malformed certificate request$/);
  });

  it('checks usages, signer and duration', () => {
    expect(invalid({ usages: ['client auth', 'client auth'], expirationSeconds: 10 })).toEqual([
      'spec.usages[1]: Duplicate value: "client auth"',
      'spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 600 seconds (10 minutes)',
    ]);
    expect(validateSignerName(FieldPath.of('spec', 'signerName'), 'nodomain/x').map(String)).toEqual([
      'spec.signerName: Invalid value: "nodomain": should be a domain with at least two segments separated by dots',
    ]);
  });

  it('lets nobody say who asks', () => {
    const object = csr({ username: 'system:admin', groups: ['system:masters'], uid: '1', extra: {} });
    definition.prepareForCreate?.(object);
    expect(Object.keys(object.spec).sort()).toEqual(['request', 'signerName', 'usages']);
  });

  it('is approved once, and shows it', () => {
    const old = csr();
    const now = csr({ usages: ['any'] }, { certificate: 'x', conditions: [{ type: 'Approved', status: 'True' }] });
    prepareApproval(now, old, new Date('2026-01-01T00:00:00.5Z'));
    expect(now.spec).toEqual(old.spec);
    expect(now.status).toEqual({
      conditions: [
        {
          type: 'Approved',
          status: 'True',
          lastUpdateTime: '2026-01-01T00:00:00Z',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    expect(validateApproval(now, old)).toEqual([]);
    expect(validateApproval(csr(), now).map(String)).toEqual([
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ]);
    expect(definition.columns.at(-1)?.value(now, 0)).toBe('Approved');
    // A write of the status keeps the approval, and neither adds nor takes away one.
    const writeStatus = (conditions: Loose[]) => {
      const written = csr({}, { conditions });
      definition.subresources.status?.prepareForUpdate?.(written, now);
      const errors = definition.subresources.status?.validateUpdate?.(written, now) ?? [];
      return [written.status.conditions.map(({ type, reason }: Loose) => [type, reason]), errors.map(String)];
    };
    const failed = { type: 'Failed', status: 'True', reason: 'Signer' };
    expect(writeStatus([failed, { type: 'Approved', status: 'True', reason: 'Mine' }])).toEqual([
      [
        ['Failed', 'Signer'],
        ['Approved', undefined],
      ],
      [],
    ]);
    expect(writeStatus([{ type: 'Denied', status: 'True' }])[1]).toEqual([
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
      'status.conditions: Forbidden: updates may not add a condition of type "Denied"',
    ]);
  });
});
