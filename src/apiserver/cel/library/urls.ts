import type { Environment } from '@marcbachmann/cel-js';

class UrlValue {
  readonly url: URL;
  /** Only a path was given. */
  readonly relative: boolean;
  readonly text: string;

  constructor(url: URL, relative: boolean, text: string) {
    this.url = url;
    this.relative = relative;
    this.text = text;
  }
}

/** `url('https://host/path')`: an absolute URI or an absolute path. */
export function registerUrls(environment: Environment): void {
  const type = 'kubernetes.URL';
  environment.registerType(type, { ctor: UrlValue as never });
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  add(`url(string): ${type}`, (text: string) => {
    const value = parse(text);
    if (!value)
      throw new Error(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      );
    return value;
  });
  add('isURL(string): bool', (text: string) => parse(text) !== undefined);
  const part = (name: string, read: (value: UrlValue) => string) => add(`${type}.${name}(): string`, read);
  part('getScheme', ({ relative, url }) => (relative ? '' : url.protocol.slice(0, -1)));
  part('getHost', ({ relative, text }) => (relative ? '' : authorityOf(text)));
  part('getHostname', ({ relative, text }) =>
    relative
      ? ''
      : authorityOf(text)
          .replace(/:\d*$/, '')
          .replace(/^\[|\]$/g, ''),
  );
  part('getPort', ({ relative, text }) => (relative ? '' : (/:(\d*)$/.exec(authorityOf(text))?.[1] ?? '')));
  part('getEscapedPath', ({ relative, url, text }) =>
    relative || /^[^:]+:\/\/[^/?#]*\//.test(text) ? url.pathname : '',
  );
  add(`${type}.getQuery(): map<string, list<string>>`, ({ url }: UrlValue) => {
    const query = new Map<string, string[]>();
    for (const [key, value] of url.searchParams) query.set(key, [...(query.get(key) ?? []), value]);
    return query;
  });
  environment.registerOperator(`${type} == ${type}`, ((a: UrlValue, b: UrlValue) => a.text === b.text) as never);
}

function parse(text: string): UrlValue | undefined {
  if (text.startsWith('/') && !text.startsWith('//')) {
    return URL.canParse(text, 'http://host') ? new UrlValue(new URL(text, 'http://host'), true, text) : undefined;
  }
  // Spaces may be in what follows the host, where they are escaped.
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/?#]*(?:[/?#][^\p{Cc}]*)?$/u.test(text) && URL.canParse(text)
    ? new UrlValue(new URL(text), false, text)
    : undefined;
}

function authorityOf(text: string): string {
  return /^[^:]+:\/\/(?:[^/?#@]*@)?([^/?#]*)/.exec(text)?.[1] ?? '';
}
