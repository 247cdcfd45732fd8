import { badRequest } from '../../apimachinery/status-error.ts';
import { headerOf, type RequestHeaders } from './request-context.ts';

const EXTRA = 'impersonate-extra-';

/** Whom a request wants to be done as. */
export interface WantedUser {
  readonly name: string;
  /** Empty when it is not asked for. */
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** `undefined`: no impersonation is asked for. Throws StatusError when the headers make no sense. */
export function wantedUser(headers: RequestHeaders): WantedUser | undefined {
  const name = headerOf(headers, 'impersonate-user') ?? '';
  const groups = values(headers['impersonate-group']);
  const uid = headerOf(headers, 'impersonate-uid') ?? '';
  const extra = new Map<string, string[]>();
  for (const header in headers) {
    if (!header.startsWith(EXTRA)) continue;
    const key = safeDecode(header.slice(EXTRA.length)).toLowerCase();
    extra.set(key, [...(extra.get(key) ?? []), ...values(headers[header])]);
  }
  const wanted = { name, uid, groups, extra };
  if (name) return wanted;
  if (groups.length || uid || extra.size)
    throw badRequest(`requested ${asGo(wanted)} without impersonating a user name`);
  return undefined;
}

/** As the message of upstream shows it. */
function asGo({ name, uid, groups, extra }: WantedUser): string {
  const list = (items: readonly string[]) => `{${items.map((item) => JSON.stringify(item)).join(', ')}}`;
  const fields = [
    `Name:${JSON.stringify(name)}`,
    `UID:${JSON.stringify(uid)}`,
    `Groups:[]string${groups.length ? list(groups) : '(nil)'}`,
    `Extra:map[string][]string${
      extra.size
        ? `{${[...extra].map(([key, given]) => `${JSON.stringify(key)}:[]string${list(given)}`).join(', ')}}`
        : '(nil)'
    }`,
  ];
  return `&user.DefaultInfo{${fields.join(', ')}}`;
}

/** A header that may be given more than once; Node joins repeated ones with a comma and a space. Names may have commas. */
function values(header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return [];
  const list = typeof header === 'string' ? header.split(', ') : header;
  return list.map((value) => value.trim()).filter((value) => value !== '');
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
