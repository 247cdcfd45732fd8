const PLAIN: ReadonlySet<string> = new Set([
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
]);
const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}$`);
const PARAMETER = new RegExp(`^\\s*;\\s*(${TOKEN})\\s*=\\s*(?:(${TOKEN})|"((?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*)")`);

/**
 * The media type that a `Content-Type` names (RFC 9110, 8.3), in lower case and without its parameters; empty when the header
 * is. Undefined: the header is malformed, be it in a parameter that nobody needs.
 */
export function mediaTypeOf(contentType: string): string | undefined {
  if (contentType === '' || PLAIN.has(contentType)) return contentType;
  const end = contentType.indexOf(';');
  const mediaType = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  if (!MEDIA_TYPE.test(mediaType)) return undefined;
  return end < 0 || areParameters(contentType.slice(end)) ? mediaType : undefined;
}

function areParameters(text: string): boolean {
  const found = new Map<string, string>();
  let rest = text;
  while (rest.trim() !== '' && rest.trim() !== ';') {
    const [whole, name, token, quoted = ''] = PARAMETER.exec(rest) ?? [];
    if (whole === undefined || name === undefined) return false;
    const [key, value] = [name.toLowerCase(), token ?? quoted];
    // The same twice is no contradiction.
    if ((found.get(key) ?? value) !== value) return false;
    found.set(key, value);
    rest = rest.slice(whole.length);
  }
  return true;
}
