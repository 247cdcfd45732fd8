import { type FieldError, type FieldPath, invalidValue, required } from '../apimachinery/field.ts';
import { isDns1123Subdomain, isPortNumber } from '../apimachinery/names.ts';

/** Where a webhook is: a URL or a Service. */
export interface WebhookClientConfig {
  readonly url?: string;
  readonly service?: {
    readonly name: string;
    readonly namespace: string;
    readonly path?: string;
    readonly port?: number;
  };
}

/** A Service's default port. */
export const webhookServicePort = 443;

export function validateWebhookClientConfig(path: FieldPath, config: WebhookClientConfig | undefined): FieldError[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  if (url !== undefined) return validateUrl(path.child('url'), url);
  return validateService(path.child('service'), service!);
}

function validateUrl(path: FieldPath, text: string): FieldError[] {
  const form = '; desired format: https://host[/path]';
  const url = splitUrl(text);
  if (typeof url === 'string')
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: ${url}${form}`)];
  const errors: FieldError[] = [];
  if (url.scheme !== 'https')
    errors.push(invalidValue(path, url.scheme, `'https' is the only allowed URL scheme${form}`));
  if (url.host === '') errors.push(invalidValue(path, url.host, `host must be specified${form}`));
  if (url.user !== undefined) errors.push(invalidValue(path, url.user, 'user information is not permitted in the URL'));
  if (url.fragment) errors.push(invalidValue(path, url.fragment, 'fragments are not permitted in the URL'));
  if (url.query) errors.push(invalidValue(path, url.query, 'query parameters are not permitted in the URL'));
  return errors;
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly user: string | undefined;
  readonly query: string;
  readonly fragment: string;
}

/** As leniently as Go does, so that the same is said of the same text; the reason when even Go does not take it. */
function splitUrl(text: string): UrlParts | string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL';
  const [whole = '', fragment = ''] = split(text, '#');
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*(?=:)/.exec(whole)?.[0] ?? '';
  if (whole.startsWith(':')) return 'missing protocol scheme';
  const [rest = '', query = ''] = split(scheme ? whole.slice(scheme.length + 1) : whole, '?');
  if (!scheme && split(rest, '/')[0]?.includes(':')) return 'first path segment in URL cannot contain colon';
  const parts = { scheme: scheme.toLowerCase(), host: '', user: undefined, query, fragment };
  if (!rest.startsWith('//')) return parts;
  const authority = split(rest.slice(2), '/')[0] ?? '';
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const port = /^(?:\[[^\]]*\]|[^:]*)(:.*)?$/.exec(host)?.[1] ?? '';
  if (!/^(:\d*)?$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const odd = /[ "<>\\^`{|}]/.exec(host)?.[0];
  if (odd !== undefined) return `invalid character ${JSON.stringify(odd)} in host name`;
  return { ...parts, host, user: at < 0 ? undefined : authority.slice(0, at) };
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function validateService(path: FieldPath, service: NonNullable<WebhookClientConfig['service']>): FieldError[] {
  const { name, namespace, path: urlPath, port = webhookServicePort } = service;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(path.child('name'), 'service name is required'));
  if (!namespace) errors.push(required(path.child('namespace'), 'service namespace is required'));
  if (isPortNumber(port).length > 0)
    errors.push(invalidValue(path.child('port'), port, `port is not valid: ${isPortNumber(port).join(',')}`));
  if (urlPath === undefined) return errors;
  const at = path.child('path');
  if (urlPath === '/' || urlPath === '') return errors;
  if (urlPath === '//') return [...errors, invalidValue(at, urlPath, 'segment[0] may not be empty')];
  if (!urlPath.startsWith('/')) errors.push(invalidValue(at, urlPath, "must start with a '/'"));
  const toCheck = urlPath.replace(/^\//, '').replace(/\/$/, '');
  toCheck.split('/').forEach((step, index) => {
    if (step === '') {
      errors.push(invalidValue(at, urlPath, `segment[${index}] may not be empty`));
      return;
    }
    for (const failure of isDns1123Subdomain(step))
      errors.push(invalidValue(at, urlPath, `segment[${index}]: ${failure}`));
  });
  return errors;
}
