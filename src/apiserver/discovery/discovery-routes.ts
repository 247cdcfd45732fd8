import { methodNotSupported } from '../../apimachinery/status-error.ts';
import { parseAccept } from '../http/negotiation.ts';
import { headerOf, type RequestContext } from '../request/request-context.ts';
import { type RequestRouter, resourceNotFound } from '../request/request-router.ts';
import type { ContentResult, Result } from '../request/result.ts';
import {
  aggregated,
  apiGroup,
  type DiscoveredGroup,
  type DiscoveryDocuments,
  type Document,
  resourceList,
} from './discovery-documents.ts';

export interface DiscoveryRouteOptions {
  readonly documents: DiscoveryDocuments;
  /** `host:port` for clients, as far as it is known. */
  serverAddress(): string;
}

/** `/api`, `/apis` and what is below them: which groups, versions and resources there are. */
export function addDiscoveryRoutes(router: RequestRouter, { documents, serverAddress }: DiscoveryRouteOptions): void {
  const core = (groups: readonly DiscoveredGroup[]) => groups.filter(({ group }) => group === '');
  const named = (groups: readonly DiscoveredGroup[]) => groups.filter(({ group }) => group !== '');

  const root = (path: string, select: typeof core, legacy: (groups: readonly DiscoveredGroup[]) => object) => {
    router.addPath(path, (context) => {
      readOnly(context);
      const version = aggregatedVersion(context);
      if (version) {
        const apiVersion = `apidiscovery.k8s.io/${version}`;
        const document = documents.document(`${path} ${version}`, (groups) => aggregated(select(groups), apiVersion))!;
        return reply(context, document, `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
      }
      return reply(context, documents.document(path, (groups) => legacy(select(groups)))!, 'application/json');
    });
  };
  root('/api', core, (groups) => ({
    kind: 'APIVersions',
    versions: groups[0]?.versions.map(({ version }) => version) ?? [],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: serverAddress() }],
  }));
  root('/apis', named, (groups) => ({ kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) }));

  router.addPrefix('/api', (context) => {
    const parts = pathParts(context);
    if (parts.length !== 1) throw resourceNotFound();
    return version(context, '', parts[0]!);
  });
  router.addPrefix('/apis', (context) => {
    const [group = '', given, ...rest] = pathParts(context);
    if (rest.length) throw resourceNotFound();
    if (given !== undefined) return version(context, group, given);
    readOnly(context);
    const document = documents.document(`/apis/${group}`, (groups) => {
      const found = groups.find((candidate) => candidate.group === group);
      return found && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
    });
    if (!document) throw resourceNotFound();
    return reply(context, document, 'application/json');
  });

  function version(context: RequestContext, group: string, name: string): Result {
    readOnly(context);
    const document = documents.document(`/apis/${group}/${name}`, (groups) => {
      const found = groups
        .find((candidate) => candidate.group === group)
        ?.versions.find((item) => item.version === name);
      return found && resourceList(group, name, found.resources);
    });
    if (!document) throw resourceNotFound();
    return reply(context, document, 'application/json');
  }
}

function pathParts({ info }: RequestContext): string[] {
  return info.path
    .split('/')
    .filter((part) => part !== '')
    .slice(1);
}

function readOnly({ method }: RequestContext): void {
  if (method !== 'GET' && method !== 'HEAD')
    throw methodNotSupported({ group: '', resource: '' }, method.toLowerCase());
}

function aggregatedVersion({ headers }: RequestContext): string | undefined {
  const accept = headerOf(headers, 'accept');
  if (!accept?.includes('apidiscovery.k8s.io')) return undefined;
  for (const { mediaType, parameters } of parseAccept(accept)) {
    if (mediaType !== 'application/json') continue;
    if (parameters.as === undefined) return undefined;
    const v = parameters.v;
    if (
      parameters.g === 'apidiscovery.k8s.io' &&
      parameters.as === 'APIGroupDiscoveryList' &&
      (v === 'v2' || v === 'v2beta1')
    )
      return v;
  }
  return undefined;
}

function reply({ headers }: RequestContext, { body, etag }: Document, contentType: string): ContentResult {
  const common = { etag, vary: 'Accept', 'cache-control': 'public' };
  const unchanged = headerOf(headers, 'if-none-match')
    ?.split(',')
    .some((tag) => tag.trim() === etag);
  return unchanged
    ? { type: 'content', status: 304, contentType, body: '', headers: common }
    : { type: 'content', status: 200, contentType, body, headers: common };
}
