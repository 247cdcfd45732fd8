import { createPublicKey, verify, X509Certificate } from 'node:crypto';

/** PKCS#10 (RFC 2986): just enough DER to find what was signed, by what key, and the signature. */

/** Throws Error with the reason when `pem` is no certification request signed by its own key. */
export function checkCertificationRequest(pem: string): void {
  const body = pemBlocks(pem)[0];
  if (body?.label !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const [info, algorithm, signature] = children(element(body.der, 0));
  if (info?.tag !== 0x30 || algorithm?.tag !== 0x30 || signature?.tag !== 0x03) throw malformed();
  const [, , publicKey] = children(info);
  if (publicKey?.tag !== 0x30) throw malformed();
  const oid = children(algorithm)[0];
  const scheme = oid && signatureSchemes[oid.content.toString('hex')];
  if (scheme === undefined) throw new Error('x509: cannot verify signature: algorithm unimplemented');
  let valid = false;
  try {
    const key = createPublicKey({ key: publicKey.whole, format: 'der', type: 'spki' });
    // The first byte of a BIT STRING counts its unused bits.
    valid = verify(scheme, info.whole, key, signature.content.subarray(1));
  } catch {
    throw malformed();
  }
  if (!valid) throw new Error('x509: signature verification failed');
}

/** Why `pem` is no chain of certificates; `undefined` when it is one. */
export function certificateChainProblem(pem: string): string | undefined {
  const blocks = pemBlocks(pem);
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  for (const { label, der, headers } of blocks) {
    if (label !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(label)}`;
    if (headers) return 'no PEM block headers are permitted';
    try {
      new X509Certificate(der);
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return undefined;
}

/** Digests by the hex of the signature algorithm's OID; null where the algorithm implies it. */
const signatureSchemes: Readonly<Record<string, string | null>> = {
  '2a864886f70d010105': 'sha1',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d0401': 'sha1',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
};

const malformed = () => new Error('x509: malformed certificate request');

interface PemBlock {
  readonly label: string;
  readonly headers: boolean;
  readonly der: Buffer;
}

function pemBlocks(text: string): readonly PemBlock[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g)].map(
    ([, label = '', body = '']) => ({
      label,
      headers: body.includes(':'),
      der: Buffer.from(body.replace(/\s+/g, ''), 'base64'),
    }),
  );
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag and length included. */
  readonly whole: Buffer;
}

function element(der: Buffer, offset: number): Element {
  const tag = der[offset];
  const first = der[offset + 1];
  if (tag === undefined || first === undefined) throw malformed();
  let length = first;
  let start = offset + 2;
  if (first >= 0x80) {
    const bytes = first & 0x7f;
    if (bytes === 0 || bytes > 4 || start + bytes > der.length) throw malformed();
    length = der.readUIntBE(start, bytes);
    start += bytes;
  }
  const end = start + length;
  if (end > der.length) throw malformed();
  return { tag, content: der.subarray(start, end), whole: der.subarray(offset, end) };
}

function children(parent: Element): readonly Element[] {
  const found: Element[] = [];
  for (let offset = 0; offset < parent.content.length; ) {
    const child = element(parent.content, offset);
    found.push(child);
    offset += child.whole.length;
  }
  return found;
}
