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
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URL${form}`)];
  }
  const errors: FieldError[] = [];
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== 'https') errors.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${form}`));
  if (url.host === '') errors.push(invalidValue(path, url.host, `host must be specified${form}`));
  if (url.username || url.password)
    errors.push(invalidValue(path, url.username, 'user information is not permitted in the URL'));
  if (text.includes('#')) errors.push(invalidValue(path, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (text.includes('?'))
    errors.push(invalidValue(path, url.search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
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
