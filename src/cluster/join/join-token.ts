import { createHash, randomInt, X509Certificate } from 'node:crypto';
import { CodedError } from '../../apimachinery/coded-error.ts';

/**
 * What an agent is given: which cluster to trust, by the SHA-256 of its CA's public key, and a bootstrap token to introduce
 * itself with. Written `k8ts1::<64 hex digits>::<id>.<secret>`.
 */
export interface JoinToken {
  readonly caPin: string;
  readonly id: string;
  readonly secret: string;
}

const FORM = /^k8ts1::([0-9a-f]{64})::([a-z0-9]{6})\.([a-z0-9]{16})$/;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Throws CodedError JOIN_TOKEN_INVALID. */
export function parseJoinToken(text: string): JoinToken {
  const match = FORM.exec(text.trim());
  if (!match)
    throw new CodedError(
      'JOIN_TOKEN_INVALID',
      'the join token is not one of a k8ts server',
      'Copy all of the file join-token in the data directory of `k8ts server`.',
    );
  const [, caPin, id, secret] = match as unknown as [string, string, string, string];
  return { caPin, id, secret };
}

export const formatJoinToken = ({ caPin, id, secret }: JoinToken) => `k8ts1::${caPin}::${id}.${secret}`;

export function newJoinToken(caPin: string): JoinToken {
  const letters = (count: number) => Array.from({ length: count }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return { caPin, id: letters(6), secret: letters(16) };
}

/** Survives a renewal of the CA, which keeps its key. */
export function caPinOf(certificate: string | Uint8Array): string {
  const { publicKey } = new X509Certificate(certificate);
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
