import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HTTPGetAction } from '../../api/types/core.v1.gen.ts';

export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly url: string;
  readonly body: string;
  /** A redirect to another host, which is not followed. */
  readonly redirectedAway?: string;
}

const MAX_BODY = 10 * 1024;
const MAX_REDIRECTS = 10;

export function httpTarget(action: HTTPGetAction, podIP: string, port: number, agent: string): HttpTarget {
  const headers: Record<string, string> = {};
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  const has = (name: string) => Object.keys(headers).some((header) => header.toLowerCase() === name);
  if (!has('user-agent')) headers['User-Agent'] = agent;
  if (!has('accept')) headers.Accept = '*/*';
  const path = action.path ? (action.path.startsWith('/') ? action.path : `/${action.path}`) : '/';
  return { scheme: action.scheme === 'HTTPS' ? 'https' : 'http', host: action.host || podIP, port, path, headers };
}

/** GET without following redirects to other hosts; certificates are not checked. Rejects with words as Go's client has them. */
export async function httpGet(target: HttpTarget, timeoutMs: number): Promise<HttpAnswer> {
  const deadline = Date.now() + timeoutMs;
  let url = new URL(`${target.scheme}://${bracket(target.host)}:${target.port}${target.path}`);
  for (let redirects = 0; ; redirects++) {
    const answer = await getOnce(url, target.headers, deadline - Date.now());
    const { location } = answer;
    if (answer.status < 300 || answer.status >= 400 || !location)
      return { status: answer.status, url: url.href, body: answer.body };
    let next: URL;
    try {
      next = new URL(location, url);
    } catch {
      return { status: answer.status, url: url.href, body: answer.body };
    }
    if (next.hostname !== url.hostname)
      return { status: answer.status, url: url.href, body: answer.body, redirectedAway: next.href };
    if (redirects >= MAX_REDIRECTS) throw new Error(`Get "${next.href}": stopped after 10 redirects`);
    url = next;
  }
}

function getOnce(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<{ status: number; location?: string; body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`Get "${url.href}": ${why}`));
    const options = {
      method: 'GET',
      headers: { ...headers, Connection: 'close' },
      agent: false,
      setHost: !Object.keys(headers).some((name) => name.toLowerCase() === 'host'),
    };
    const call =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, rejectUnauthorized: false })
        : httpRequest(url, options);
    const timer = setTimeout(
      () => {
        fail('context deadline exceeded (Client.Timeout exceeded while awaiting headers)');
        call.destroy();
      },
      Math.max(1, timeoutMs),
    );
    call.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(dialError(error, url));
    });
    call.on('response', (response) => {
      let body = '';
      const finish = () => {
        clearTimeout(timer);
        resolve({
          status: response.statusCode ?? 0,
          ...(response.headers.location ? { location: response.headers.location } : {}),
          body,
        });
        call.destroy();
      };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length >= MAX_BODY) finish();
      });
      response.on('end', finish);
      response.on('error', finish);
    });
    call.end();
  });
}

/** `dial tcp 10.0.0.1:80: connect: connection refused`, as Go says it. */
export function dialError(
  error: NodeJS.ErrnoException,
  { hostname, port, protocol }: { hostname: string; port: string | number; protocol?: string },
): string {
  const address = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: `dial tcp ${address}: connect: connection refused`,
    EHOSTUNREACH: `dial tcp ${address}: connect: no route to host`,
    ENETUNREACH: `dial tcp ${address}: connect: network is unreachable`,
    ENOTFOUND: `dial tcp: lookup ${hostname}: no such host`,
    ECONNRESET: `read tcp ${address}: read: connection reset by peer`,
  };
  return words[error.code ?? ''] ?? (error.message === 'socket hang up' ? 'EOF' : error.message);
}

const bracket = (host: string) => (host.includes(':') ? `[${host}]` : host);
