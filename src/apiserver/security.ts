import type { ResourceQuota } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { AdmissionStep } from '../sdk/admission.ts';
import type { Authorizer } from '../sdk/authorization.ts';
import { AdmissionChain } from './admission/admission-chain.ts';
import { type DefaultAdmissionOptions, defaultAdmissionSteps } from './admission/default-steps.ts';
import type { AdmissionLookup, AdmissionObjects } from './admission/lookup.ts';
import type { ApiServerOptions } from './api-server-options.ts';
import { AuthenticationChain } from './authentication/chain.ts';
import { defaultAuthenticators } from './authentication/default-authenticators.ts';
import { DEFAULT_ISSUER } from './authentication/service-account-claims.ts';
import { TokenIssuer } from './authentication/token-issuer.ts';
import type { TokenKeys } from './authentication/token-keys.ts';
import { requestToken } from './authentication/token-request.ts';
import { AuthorizationChain } from './authorization/chain.ts';
import { NodeAuthorizer } from './authorization/node/node-authorizer.ts';
import { ensureBootstrapPolicy } from './authorization/rbac/ensure-bootstrap-policy.ts';
import { RbacAuthorizer } from './authorization/rbac/rbac-authorizer.ts';
import { systemMasters } from './authorization/system-masters.ts';
import { legacyTokenTracking, noteTokenUse } from './bootstrap/legacy-token-tracking.ts';
import type { ObjectReader } from './object-reader.ts';

export interface SecurityOptions {
  readonly logger: Logger;
  readonly kinds: ApiServerOptions['kinds'];
  /** Sign and verify ServiceAccount tokens. */
  readonly tokenKeys: TokenKeys;
  /** `https://kubernetes.default.svc.cluster.local` when absent. */
  readonly issuer?: string;
  /** What tokens for this API server name; the issuer when absent. */
  readonly audiences?: readonly string[];
  /** PEM certificates of the CAs that issue users' certificates, current at each call. */
  readonly clientCAs: () => readonly string[];
  readonly frontProxy?: { readonly cas: () => readonly string[]; readonly allowedNames?: readonly string[] };
  readonly anonymousPaths?: readonly string[];
  /** Webhooks and policies. */
  readonly extensions?: readonly AdmissionStep[];
  readonly admission?: Pick<DefaultAdmissionOptions, 'enable' | 'disable' | 'configuration' | 'imagePolicy'>;
}

/**
 * Who may do what: authentication, authorization, admission and ServiceAccount tokens of one API server. `serverOptions` go
 * into its options; the chains are where plugins join.
 */
export interface Security {
  readonly serverOptions: Required<
    Pick<ApiServerOptions, 'authentication' | 'authorization' | 'admission' | 'tokenRequester' | 'bootstrap'>
  >;
  readonly authentication: AuthenticationChain;
  readonly authorization: AuthorizationChain;
  /** What an AuthorizationConfiguration calls by these types. */
  readonly authorizers: { readonly Node: Authorizer; readonly RBAC: Authorizer };
  readonly admission: AdmissionChain;
  readonly tokenIssuer: TokenIssuer;
  readonly audiences: readonly string[];
}

export function createSecurity(options: SecurityOptions): Security {
  const { logger, tokenKeys, kinds } = options;
  const issuer = options.issuer ?? DEFAULT_ISSUER;
  const audiences = options.audiences ?? [issuer];
  let connected: ObjectReader | undefined;
  let system: Transport | undefined;
  const reader = (): ObjectReader => {
    if (!connected) throw new Error('the API server that these belong to has not been made yet');
    return connected;
  };
  type Objects = AdmissionObjects;
  const objects: AdmissionLookup = {
    get: <K extends keyof Objects>(resource: K, name: string, namespace?: string) =>
      reader().get<Objects[K]>(resource, name, namespace),
    list: <K extends keyof Objects>(resource: K, namespace?: string) => reader().list<Objects[K]>(resource, namespace),
    fetch: <K extends keyof Objects>(resource: K, name: string, namespace?: string) =>
      reader().fetch<Objects[K]>(resource, name, namespace),
  };

  const authentication = new AuthenticationChain({
    logger,
    authenticators: defaultAuthenticators({
      getter: objects,
      keys: tokenKeys,
      issuers: [issuer],
      audiences,
      logger,
      clientCAs: options.clientCAs,
      ...(options.frontProxy ? { frontProxy: options.frontProxy } : {}),
      ...(options.anonymousPaths ? { anonymousPaths: options.anonymousPaths } : {}),
      noteLegacyTokenUse: (secret, day) => noteTokenUse(made(system), secret, day),
    }),
  });
  const rbac = new RbacAuthorizer();
  const node = new NodeAuthorizer();
  const authorization = new AuthorizationChain({ logger, authorizers: [systemMasters, node, rbac] });
  const admission = new AdmissionChain(
    defaultAdmissionSteps({
      ...options.admission,
      lookup: objects,
      authorizer: authorization,
      rbac,
      ...(options.extensions ? { extensions: options.extensions } : {}),
      updateQuotaStatus: (quota) => putQuotaStatus(system, quota),
      createNamespace: (name) => createNamespace(system, name),
      resourceOf: (group, version, kind) => kinds.byKind(group, version, kind),
    }),
  );
  const tokenIssuer = new TokenIssuer({ keys: tokenKeys, issuer });

  function connect(to: ObjectReader): void {
    if (connected) return;
    connected = to;
    // Subscriptions end with the server's cache.
    to.subscribe(['clusterroles', 'roles', 'clusterrolebindings', 'rolebindings'], {
      upsert: (object) => rbac.index.upsert(object as never),
      remove: (object) => rbac.index.remove(object as never),
    });
    node.graph.subscribe({ subscribe: (resource, listener) => to.subscribe([resource], listener) });
  }

  return {
    authentication,
    authorization,
    authorizers: { Node: node, RBAC: rbac },
    admission,
    tokenIssuer,
    audiences,
    serverOptions: {
      authentication(to) {
        connect(to);
        return authentication;
      },
      authorization(to) {
        connect(to);
        return authorization;
      },
      admission(to, transport) {
        connect(to);
        system = transport({ name: 'system:apiserver', groups: ['system:masters'] }, 'kube-apiserver');
        return () => admission.steps;
      },
      tokenRequester: () => (namespace, name, request) =>
        requestToken({ issuer: tokenIssuer, getter: objects, audiences }, namespace, name, request),
      bootstrap: [{ name: 'rbac/bootstrap-roles', run: ensureBootstrapPolicy }, legacyTokenTracking],
    },
  };
}

function made(system: Transport | undefined): Transport {
  if (!system) throw new Error('the API server that these belong to has not been made yet');
  return system;
}

async function createNamespace(system: Transport | undefined, name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await made(system).request({ method: 'POST', path: '/api/v1/namespaces', body });
}

async function putQuotaStatus(system: Transport | undefined, quota: ResourceQuota): Promise<ResourceQuota> {
  const { namespace, name } = quota.metadata;
  const path = `/api/v1/namespaces/${namespace}/resourcequotas/${name}/status`;
  return (await made(system).request<ResourceQuota>({ method: 'PUT', path, body: quota })).body;
}
