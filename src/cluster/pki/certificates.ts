import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { CertificateRequest, KeyPair, SigningOptions } from './certificate-request.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509-library.ts';

export type { CertificateRequest, KeyPair } from './certificate-request.ts';

/*
 * Imported only when there is something to sign: the library takes longer to load than all certificates to make.
 */
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** The library's own types are those of a browser's WebCrypto. */
const CRYPTO = webcrypto as never;

interface WebKeys {
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
}

/** Signs with one authority. */
export interface Signer {
  issue(request: CertificateRequest, now: number): Promise<KeyPair>;
  /** Throws CodedError CSR_INVALID. */
  signRequest(csr: string, options: SigningOptions, now: number): Promise<string>;
}

/**
 * A self-signed authority, valid for ten years. With the `key` of an older one it is that one once more: what it signed
 * stays valid.
 */
export async function newAuthority(commonName: string, now: number, oldKey?: string): Promise<KeyPair> {
  const keys = oldKey ? await webKeys(oldKey) : await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ CN: [commonName] }],
      notBefore: new Date(now - HOUR_MS),
      notAfter: new Date(now + 3650 * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys: keys as never,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(
          KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyCertSign,
          true,
        ),
        await SubjectKeyIdentifierExtension.create(keys.publicKey as never, false, CRYPTO),
      ],
    },
    CRYPTO,
  );
  return { cert: pem(certificate), key: oldKey ?? (await exportKey(keys.privateKey)) };
}

/** A PKCS#10 request with a new key, for an authority elsewhere; PEM both. */
export async function newSigningRequest(request: CertificateRequest): Promise<{ csr: string; key: string }> {
  const keys = await newKeys();
  const names = alternativeNames(request);
  const csr = await Pkcs10CertificateRequestGenerator.create(
    {
      name: subjectOf(request),
      keys: keys as never,
      signingAlgorithm: ALGORITHM,
      extensions: names ? [names] : [],
    },
    CRYPTO,
  );
  return { csr: `${csr.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
}

export async function openSigner(authority: KeyPair): Promise<Signer> {
  const issuer = new X509Certificate(authority.cert);
  const [{ privateKey }, authorityKeyIdentifier] = await Promise.all([
    webKeys(authority.key),
    AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, CRYPTO),
  ]);

  async function sign(
    subject: Name,
    publicKey: webcrypto.CryptoKey | Pkcs10CertificateRequest['publicKey'],
    names: SubjectAlternativeNameExtension | undefined,
    options: { usages: readonly ('client' | 'server')[]; ttlMs?: number },
    now: number,
  ): Promise<string> {
    const purposes = { client: ExtendedKeyUsage.clientAuth, server: ExtendedKeyUsage.serverAuth };
    const certificate = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        issuer: issuer.subjectName,
        subject,
        notBefore: new Date(Math.max(now - HOUR_MS, issuer.notBefore.getTime())),
        notAfter: new Date(Math.min(now + (options.ttlMs ?? 365 * DAY_MS), issuer.notAfter.getTime())),
        signingAlgorithm: ALGORITHM,
        publicKey: publicKey as never,
        signingKey: privateKey as never,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension(options.usages.map((usage) => purposes[usage])),
          authorityKeyIdentifier,
          ...(names ? [names] : []),
        ],
      },
      CRYPTO,
    );
    return pem(certificate);
  }

  return {
    async issue(request, now) {
      const { privateKey: ownKey, publicKey } = await newKeys();
      const cert = await sign(subjectOf(request), publicKey, alternativeNames(request), request, now);
      return { cert, key: await exportKey(ownKey) };
    },
    async signRequest(csr, options, now) {
      const parsed = await readRequest(csr);
      const names = parsed.extensions.find((extension) => extension instanceof SubjectAlternativeNameExtension);
      return sign(parsed.subjectName, parsed.publicKey, names, options, now);
    },
  };
}

function subjectOf({ organizations = [], commonName }: CertificateRequest): Name {
  return new Name([...organizations.map((name) => ({ O: [name] })), { CN: [commonName] }]);
}

function alternativeNames({
  dnsNames = [],
  ips = [],
}: CertificateRequest): SubjectAlternativeNameExtension | undefined {
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
  return names.length ? new SubjectAlternativeNameExtension(names) : undefined;
}

async function readRequest(csr: string): Promise<Pkcs10CertificateRequest> {
  let parsed: Pkcs10CertificateRequest;
  try {
    parsed = new Pkcs10CertificateRequest(csr);
  } catch (cause) {
    throw invalidRequest('it is no PEM of a certificate request', cause);
  }
  const isSigned = await parsed.verify(CRYPTO).catch(() => false);
  if (!isSigned) throw invalidRequest('the signature of the certificate request is not valid');
  return parsed;
}

function invalidRequest(why: string, cause?: unknown): CodedError {
  return new CodedError('CSR_INVALID', `the certificate request can't be signed: ${why}`, 'Make a new one.', { cause });
}

async function newKeys(): Promise<WebKeys> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as WebKeys;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Of an authority that is kept. */
async function webKeys(pem: string): Promise<WebKeys> {
  const key = createPrivateKey(pem);
  const { d: _, ...publicJwk } = key.export({ format: 'jwk' });
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, ['sign']),
    webcrypto.subtle.importKey('jwk', publicJwk, ALGORITHM, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = bytes[0]! & 0x7f || 1; // positive and without a leading zero
  return bytes.toString('hex');
}
