import { isDns1123Label } from '../../apimachinery/names.ts';

export interface SchemeNamePort {
  readonly scheme: 'http' | 'https';
  readonly name: string;
  /** A number, a port name, or ''. */
  readonly port: string;
}

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT` (scheme and port may be empty). Undefined for anything else. */
export function parseSchemeNamePort(id: string): SchemeNamePort | undefined {
  const parts = id.split(':');
  if (parts.length === 1) return name(parts[0]!) ? { scheme: 'http', name: parts[0]!, port: '' } : undefined;
  if (parts.length === 2)
    return name(parts[0]!) && port(parts[1]!) ? { scheme: 'http', name: parts[0]!, port: parts[1]! } : undefined;
  const [scheme = '', middle = '', last = ''] = parts;
  if (parts.length !== 3 || !['', 'http', 'https'].includes(scheme) || !name(middle) || (last !== '' && !port(last)))
    return undefined;
  return { scheme: scheme === 'https' ? 'https' : 'http', name: middle, port: last };
}

const name = (text: string) => text !== '';
const port = (text: string) =>
  /^\d+$/.test(text) ? Number(text) > 0 && Number(text) < 65_536 : isDns1123Label(text).length === 0;
