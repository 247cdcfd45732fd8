import { methodNotAllowed } from '../../apimachinery/status-error.ts';
import { type Format, mediaTypeOf, negotiate, negotiateConversion, wantsPretty } from '../http/negotiation.ts';
import type { ProtobufSource } from '../http/protobuf.ts';
import { pageNotFound } from '../request/plain-text-error.ts';
import { headerOf, type RequestContext } from '../request/request-context.ts';
import { type RequestRouter, resourceNotFound } from '../request/request-router.ts';
import type { Result } from '../request/result.ts';
import type { DiscoveryDocument } from './discovery-document.ts';
import {
  aggregated,
  apiGroup,
  type DiscoveredGroup,
  type DiscoveryDocuments,
  resourceList,
} from './discovery-documents.ts';

/** All groups in one document, if the client asks for it in any place of its `Accept`. */
const AGGREGATED = { group: 'apidiscovery.k8s.io', version: 'v2', kind: 'APIGroupDiscoveryList' };

export interface DiscoveryRouteOptions {
  readonly documents: DiscoveryDocuments;
  readonly protobuf: ProtobufSource;
  /** `host:port` for clients, as far as it is known. */
  serverAddress(): string;
}

/** `/api`, `/apis` and what is below them: which groups, versions and resources there are. */
export function addDiscoveryRoutes(
  router: RequestRouter,
  { documents, protobuf, serverAddress }: DiscoveryRouteOptions,
): void {
  const core = (groups: readonly DiscoveredGroup[]) => groups.filter(({ group }) => group === '');
  const named = (groups: readonly DiscoveredGroup[]) => groups.filter(({ group }) => group !== '');

  const root = (path: string, select: typeof core, legacy: (groups: readonly DiscoveredGroup[]) => object) => {
    router.addPath(path, (context) => {
      readOnly(context);
      const wanted = negotiateConversion(headerOf(context.headers, 'accept'), AGGREGATED);
      if (!wanted) return plain(context, documents.document(path, (groups) => legacy(select(groups)))!);
      const document = documents.document(`${path} aggregated`, (groups) => aggregated(select(groups)))!;
      return tagged(context, document, wanted);
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
    if (rest.length) throw pageNotFound();
    if (given !== undefined) return version(context, group, given);
    readOnly(context);
    const document = documents.document(`/apis/${group}`, (groups) => {
      const found = groups.find((candidate) => candidate.group === group);
      return found && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
    });
    if (!document) throw pageNotFound();
    return plain(context, document);
  });

  function version(context: RequestContext, group: string, name: string): Promise<Result> {
    readOnly(context);
    const document = documents.document(`/apis/${group}/${name}`, (groups) => {
      const found = groups
        .find((candidate) => candidate.group === group)
        ?.versions.find((item) => item.version === name);
      return found && resourceList(group, name, found.resources);
    });
    if (!document) throw resourceNotFound();
    return plain(context, document);
  }

  async function plain({ headers, query }: RequestContext, document: DiscoveryDocument): Promise<Result> {
    const { format, pretty } = negotiate(headerOf(headers, 'accept'), { shapes: false, protobuf: true });
    const body = document.body(format, pretty || wantsPretty(headers, query), protobuf);
    return { type: 'content', status: 200, contentType: mediaTypeOf(format), body: await body };
  }

  async function tagged(
    { headers, query }: RequestContext,
    document: DiscoveryDocument,
    { format, pretty }: { readonly format: Format; readonly pretty: boolean },
  ): Promise<Result> {
    const { etag } = document;
    const contentType = `${mediaTypeOf(format)};g=${AGGREGATED.group};v=${AGGREGATED.version};as=${AGGREGATED.kind}`;
    const common = { etag, vary: 'Accept', 'cache-control': 'public' };
    const unchanged = headerOf(headers, 'if-none-match')
      ?.split(',')
      .some((tag) => tag.trim() === etag);
    if (unchanged) return { type: 'content', status: 304, contentType, body: '', headers: common };
    const body = await document.body(format, pretty || wantsPretty(headers, query), protobuf);
    return { type: 'content', status: 200, contentType, body, headers: common };
  }
}

function pathParts({ info }: RequestContext): string[] {
  return info.path
    .split('/')
    .filter((part) => part !== '')
    .slice(1);
}

function readOnly({ method }: RequestContext): void {
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
}
