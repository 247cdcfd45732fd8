import { X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { caPinOf } from './join-token.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RETRY_MS = 500;
/** How long a server may take to come up beside an agent that starts at the same time. */
const PATIENCE_MS = 10_000;

/** Host and port of `https://HOST[:PORT]`. Throws CodedError INVALID_OPTION. */
export function serverAddress(server: string): { host: string; port: number; origin: string } {
  let url: URL | undefined;
  try {
    url = new URL(server);
  } catch {
    // reported below
  }
  if (url?.protocol !== 'https:' || url.pathname !== '/' || !url.hostname) {
    throw new CodedError(
      'INVALID_OPTION',
      `"${server}" is not the URL of a server`,
      'Write it as https://ADDRESS:PORT.',
    );
  }
  const port = Number(url.port || 443);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, origin: `https://${url.hostname}:${port}` };
}

/**
 * The cluster's CA (PEM) as the server presents it: the one whose public key the join token pins. Nothing secret is sent before
 * that is checked. Throws CodedError.
 */
export function fetchClusterCa(server: string, caPin: string, signal: AbortSignal): Promise<string> {
  const { host, port } = serverAddress(server);
  return patiently(server, signal, async () => {
    const chain = await presentedChain(host, port);
    const ca = chain.find((certificate) => certificate.ca && caPinOf(certificate.raw) === caPin);
    const leaf = chain[0];
    if (!ca || !leaf?.checkIssued(ca) || !leaf.verify(ca.publicKey)) {
      throw new CodedError(
        'CA_MISMATCH',
        `${server} is not a server of the cluster that the join token is for: its certificate authority is another`,
        'Check the address, and copy the join-token file of that very server; it changes when a server starts with a new data directory.',
      );
    }
    return ca.toString();
  });
}

/** Repeats while the server can't be reached; other failures, and that one in the end, are CodedErrors. */
export async function patiently<T>(server: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const failure = joinFailure(error, server);
      if (failure.code !== 'SERVER_UNREACHABLE' || Date.now() > deadline) throw failure;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}

function joinFailure(cause: unknown, server: string): CodedError {
  if (cause instanceof CodedError) return cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (isStatusError(cause, 'Unauthorized'))
    return new CodedError(
      'JOIN_TOKEN_REFUSED',
      `${server} does not accept the join token: it is wrong, revoked or has expired`,
      'Copy the join-token file of the server anew; a restart of the server makes the token valid again.',
      { cause },
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new CodedError(
      'SERVER_NAME_MISMATCH',
      `the server's certificate does not name the address in ${server}`,
      'Use the address that the server prints, or start it with --tls-san ADDRESS.',
      { cause },
    );
  if (code.startsWith('CERT_') || code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' || code.startsWith('SELF_SIGNED'))
    return new CodedError(
      'CA_MISMATCH',
      `the certificate of ${server} can't be trusted (${code})`,
      'Check the clocks of both hosts, and copy the join-token file of that very server.',
      { cause },
    );
  if (
    isStatusError(cause, 'ServiceUnavailable') ||
    isStatusError(cause, 'TooManyRequests') ||
    UNREACHABLE.has(code) ||
    /connecting to .* took longer|was closed/.test(message)
  )
    return new CodedError(
      'SERVER_UNREACHABLE',
      `${server} does not answer (${code || message})`,
      'Is the server running there, and does a firewall let this host reach its port?',
      { cause },
    );
  if (code.startsWith('ERR_SSL') || code === 'EPROTO')
    return new CodedError(
      'SERVER_UNREACHABLE',
      `${server} does not speak TLS (${code})`,
      'The port must be that of the API server.',
      { cause },
    );
  return new CodedError(
    'JOIN_FAILED',
    `joining ${server} failed: ${message}`,
    'See the logs of the agent and of the server (logs/k8ts.log in their data directories).',
    { cause },
  );
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_STREAM_CANCEL',
]);

function presentedChain(host: string, port: number): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    // Not believed yet: whom it belongs to is what is being found out.
    const socket: TLSSocket = connect({
      host,
      port,
      rejectUnauthorized: false,
      servername: isIP(host) ? '' : host,
      timeout: CONNECT_TIMEOUT_MS,
    });
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = [];
      const seen = new Set<string>();
      let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
      while (next?.raw && !seen.has(next.fingerprint256)) {
        seen.add(next.fingerprint256);
        chain.push(new X509Certificate(next.raw));
        next = next.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
    socket.once('timeout', () =>
      socket.destroy(
        Object.assign(new Error(`connecting to ${host}:${port} took longer than ${CONNECT_TIMEOUT_MS} ms`), {
          code: 'ETIMEDOUT',
        }),
      ),
    );
    socket.once('error', reject);
    socket.once('close', () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })));
  });
}

/** This host's address on the way to the server; undefined when there is no way. Sends nothing. */
export function addressTowards(server: string): Promise<string | undefined> {
  const { host, port } = serverAddress(server);
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => end(undefined));
    socket.connect(port, host, () => end(socket.address().address));
  });
}
