/** What a path means, by the rules of Kubernetes' API paths. */
export interface RequestInfo {
  /** False for paths such as `/healthz`. */
  readonly resourceRequest: boolean;
  readonly path: string;
  /** API verb, or the lower-case HTTP method of a non-resource request. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments after the subresource: what a proxied request is for. */
  readonly rest: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const namespaceSubresources = new Set(['status', 'finalize']);

/** `path` is without query; its segments are URI-encoded. Throws URIError when they are not encoded well. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = segments(path);
  const groupless = parts[0] === 'api';
  if (!(groupless && parts.length >= 3) && !(parts[0] === 'apis' && parts.length >= 4))
    return nonResource(method, path);
  const group = groupless ? '' : parts[1]!;
  const version = parts[groupless ? 1 : 2]!;
  let current = parts.slice(groupless ? 2 : 3);
  let verb = verbs[method] ?? method.toLowerCase();
  if ((current[0] === 'watch' || current[0] === 'proxy') && current.length > 1) {
    verb = current[0];
    current = current.slice(1);
  }
  let namespace = '';
  if (current[0] === 'namespaces' && current.length > 1) {
    namespace = current[1]!;
    if (current.length > 2 && !namespaceSubresources.has(current[2]!)) current = current.slice(2);
  }
  const [resource = '', given = '', subresource = '', ...rest] = current;
  let name = given;
  if (name === '') {
    if (verb === 'get' || verb === 'watch') {
      verb = verb === 'watch' || isTrue(query.get('watch')) ? 'watch' : 'list';
      name = nameInSelector(query.get('fieldSelector'));
    } else if (verb === 'delete') verb = 'deletecollection';
  }
  return { resourceRequest: true, path, verb, group, version, namespace, resource, subresource, name, rest };
}

function nonResource(method: string, path: string): RequestInfo {
  const none = { group: '', version: '', namespace: '', resource: '', subresource: '', name: '', rest: [] };
  return { resourceRequest: false, path, verb: method.toLowerCase(), ...none };
}

function segments(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return path.includes('%') ? parts.map(decodeURIComponent) : parts;
}

/** A boolean parameter is true as soon as it is there, unless it says otherwise. */
export function isTrue(value: string | null | undefined): boolean {
  return value !== null && value !== undefined && value !== '0' && value.toLowerCase() !== 'false';
}

function nameInSelector(selector: string | null): string {
  if (!selector) return '';
  const match = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(selector);
  return match?.[1] ?? '';
}
