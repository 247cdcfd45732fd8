import { createPrivateKey, generateKeyPair, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  /** A year when absent. */
  readonly ttlMs?: number;
}

/** The library and what it needs, loaded when the first certificate is made. */
async function x509() {
  await import('reflect-metadata');
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto as unknown as Parameters<typeof library.cryptoProvider.set>[0]);
  return library;
}

export async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

async function webKeys(pem: string): Promise<{ privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey }> {
  const key = createPrivateKey(pem);
  const { d: _, ...publicJwk } = key.export({ format: 'jwk' });
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, ['sign']),
    webcrypto.subtle.importKey('jwk', publicJwk, ALGORITHM, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}

/** A self-signed authority, valid for ten years. */
export async function newAuthority(commonName: string, now: number): Promise<KeyPair> {
  const [library, key] = await Promise.all([x509(), newKey()]);
  const keys = await webKeys(key);
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - HOUR_MS),
    notAfter: new Date(now + 3650 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys as never,
    extensions: [
      new library.BasicConstraintsExtension(true, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature | library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.cRLSign, true),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

/** A certificate with a key of its own, signed by `authority`. */
export async function issueCertificate(authority: KeyPair, request: CertificateRequest, now: number): Promise<KeyPair> {
  const key = await newKey();
  const { publicKey } = await webKeys(key);
  return { cert: await sign(authority, publicKey, request, now), key };
}

/** Signs the key of a PKCS#10 request under the subject that it names. The caller has judged the request. */
export async function signRequest(authority: KeyPair, csr: string, options: { readonly usages: readonly ('client' | 'server')[]; readonly ttlMs: number }, now: number): Promise<string> {
  const library = await x509();
  const parsed = new library.Pkcs10CertificateRequest(csr);
  if (!(await parsed.verify(webcrypto as never))) throw new Error('the signature of the certificate request is not valid');
  const field = (name: string) => parsed.subjectName.getField(name);
  const alternative = parsed.extensions.find((extension) => extension instanceof library.SubjectAlternativeNameExtension);
  const names = alternative?.names.toJSON() ?? [];
  const publicKey = await parsed.publicKey.export(webcrypto as never);
  return sign(
    authority,
    publicKey as unknown as webcrypto.CryptoKey,
    {
      commonName: field('CN')[0] ?? '',
      organizations: field('O'),
      usages: options.usages,
      dnsNames: names.filter(({ type }) => type === 'dns').map(({ value }) => value),
      ips: names.filter(({ type }) => type === 'ip').map(({ value }) => value),
      ttlMs: options.ttlMs,
    },
    now,
  );
}

async function sign(authority: KeyPair, publicKey: webcrypto.CryptoKey, request: CertificateRequest, now: number): Promise<string> {
  const library = await x509();
  const { privateKey } = await webKeys(authority.key);
  const names = [...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })), ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value }))];
  const purposes = { client: library.ExtendedKeyUsage.clientAuth, server: library.ExtendedKeyUsage.serverAuth };
  const issuer = new library.X509Certificate(authority.cert);
  const certificate = await library.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subjectName,
    subject: new library.Name([...(request.organizations ?? []).map((name) => ({ O: [name] })), { CN: [request.commonName] }]),
    notBefore: new Date(now - HOUR_MS),
    notAfter: new Date(Math.min(now + (request.ttlMs ?? 365 * DAY_MS), issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey: publicKey as never,
    signingKey: privateKey as never,
    extensions: [
      new library.BasicConstraintsExtension(false, undefined, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
      new library.ExtendedKeyUsageExtension(request.usages.map((usage) => purposes[usage])),
      await library.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length ? [new library.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** Less than 30 % of its life is left, or names it must have are not in it. */
export function needsRenewal(cert: string, wanted: Pick<CertificateRequest, 'dnsNames' | 'ips'>, now: number): boolean {
  const certificate = new X509Certificate(cert);
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (now < from || now > from + (to - from) * 0.7) return true;
  return [...(wanted.dnsNames ?? []).map((name) => certificate.checkHost(name)), ...(wanted.ips ?? []).map((ip) => certificate.checkIP(ip))].some((found) => found === undefined);
}

function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = bytes[0]! & 0x7f || 1; // positive and without a leading zero
  return bytes.toString('hex');
}
