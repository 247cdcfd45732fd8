import type { OutgoingHttpHeaders } from 'node:http';
import type { UserInfo } from '../../sdk/user.ts';

/** Names of the headers that say who a request is done as. */
export const USER_HEADER = 'X-Remote-User';
export const UID_HEADER = 'X-Remote-Uid';
export const GROUP_HEADER = 'X-Remote-Group';
export const EXTRA_PREFIX = 'X-Remote-Extra-';

/** Of a request that this server has authenticated and passes on. */
export function identityHeaders({ name, uid, groups, extra }: UserInfo): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { [USER_HEADER]: inBytes(name) };
  if (uid) headers[UID_HEADER] = inBytes(uid);
  if (groups?.length) headers[GROUP_HEADER] = groups.map(inBytes);
  for (const [key, values] of Object.entries(extra ?? {}))
    if (values.length) headers[`${EXTRA_PREFIX}${escapeKey(key)}`] = values.map(inBytes);
  return headers;
}

/** Node writes headers as latin1: the bytes of UTF-8 pass as they are. */
const inBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

/** What may not stand in a header's name is percent-encoded; the receiver decodes it. */
const escapeKey = (key: string) =>
  [...Buffer.from(key.toLowerCase(), 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[a-z0-9!#$&'*+.^_`|~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
