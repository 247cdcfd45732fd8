import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpExchange, ResponseHeaders } from '../http/http-exchange.ts';

const HOP_BY_HOP = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];
/** Meant for this server, and secret or dangerous elsewhere. */
const OURS = /^(authorization|cookie2|x-remote-(user|uid|group|extra-.*)|impersonate-.*)$/;
const WEBSOCKET_TOKEN = /^base64url\.bearer\.authorization\.k8s\.io\./;

/** The client's headers for the backend: without credentials for this server, and without those of the connection. */
export function requestHeaders({ headers, remoteAddress }: HttpExchange, upgrade: boolean): OutgoingHttpHeaders {
  const listed = String(headers.connection ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  const forwarded: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (
      value === undefined ||
      name.startsWith(':') ||
      OURS.test(name) ||
      HOP_BY_HOP.includes(name) ||
      listed.includes(name)
    )
      continue;
    forwarded[name] = typeof value === 'string' ? value : [...value];
  }
  const authority = headers[':authority'];
  if (!forwarded.host && typeof authority === 'string') forwarded.host = authority;
  if (remoteAddress)
    forwarded['x-forwarded-for'] = forwarded['x-forwarded-for']
      ? `${forwarded['x-forwarded-for']}, ${remoteAddress}`
      : remoteAddress;
  if (!upgrade) return forwarded;
  forwarded.connection = 'Upgrade';
  forwarded.upgrade = String(headers.upgrade);
  // A peer in Go reads a list as one name: one header each.
  const versions = headers['x-stream-protocol-version'];
  if (versions) forwarded['x-stream-protocol-version'] = [versions].flat().flatMap((list) => list.split(/\s*,\s*/));
  const protocols = forwarded['sec-websocket-protocol'];
  if (protocols) {
    const kept = String(protocols)
      .split(/\s*,\s*/)
      .filter((protocol) => !WEBSOCKET_TOKEN.test(protocol));
    if (kept.length > 0) forwarded['sec-websocket-protocol'] = kept.join(', ');
    else delete forwarded['sec-websocket-protocol'];
  }
  return forwarded;
}

/** The backend's headers for the client. */
export function responseHeaders(headers: NodeJS.Dict<string | string[]>): ResponseHeaders {
  const listed = String(headers.connection ?? '')
    .toLowerCase()
    .split(/\s*,\s*/);
  const forwarded: ResponseHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.includes(name) || listed.includes(name)) continue;
    forwarded[name] = value;
  }
  return forwarded;
}
