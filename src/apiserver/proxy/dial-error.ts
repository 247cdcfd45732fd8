import { isIPv6 } from 'node:net';
import { StatusError } from '../../apimachinery/status-error.ts';

/** Why a connection could not be made, as Kubernetes' users know it from Go. */
export function dialErrorText(error: unknown, host: string, port: number | string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const address = hostPort(host, port);
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`;
    case 'ETIMEDOUT':
      return `dial tcp ${address}: i/o timeout`;
    case 'EHOSTUNREACH':
      return `dial tcp ${address}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: network is unreachable`;
    case 'ECONNRESET':
      return `read tcp ${address}: read: connection reset by peer`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${host}: no such host`;
    default:
      return code?.startsWith('ERR_TLS') || code?.includes('CERT') || code?.includes('SIGNATURE')
        ? `tls: failed to verify certificate: x509: ${message}`
        : message;
  }
}

export const hostPort = (host: string, port: number | string): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

/** A failure that has no reason of its own: 500, with the message as it is. */
export const unknownError = (message: string) => new StatusError({ code: 500, message, reason: '' });
