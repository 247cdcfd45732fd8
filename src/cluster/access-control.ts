import type { ResourceQuota } from '../api/types/core.v1.gen.ts';
import type { KindRegistry } from '../api/kind.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { ApiServerOptions } from '../apiserver/api-server-options.ts';
import { defaultAdmissionSteps } from '../apiserver/admission/default-steps.ts';
import type { AdmissionLookup } from '../apiserver/admission/lookup.ts';
import { AuthenticationChain } from '../apiserver/authentication/chain.ts';
import { defaultAuthenticators } from '../apiserver/authentication/default-authenticators.ts';
import type { ObjectGetter } from '../apiserver/authentication/object-getter.ts';
import { TokenIssuer } from '../apiserver/authentication/token-issuer.ts';
import type { TokenKeys } from '../apiserver/authentication/token-keys.ts';
import { requestToken } from '../apiserver/authentication/token-request.ts';
import { AuthorizationChain } from '../apiserver/authorization/chain.ts';
import { NodeAuthorizer } from '../apiserver/authorization/node/node-authorizer.ts';
import type { NodeGraphSource } from '../apiserver/authorization/node/node-graph.ts';
import { ensureBootstrapPolicy } from '../apiserver/authorization/rbac/ensure-bootstrap-policy.ts';
import { RbacAuthorizer } from '../apiserver/authorization/rbac/rbac-authorizer.ts';
import type { RbacSource } from '../apiserver/authorization/rbac/rbac-index.ts';
import { systemMasters } from '../apiserver/authorization/system-masters.ts';
import type { AdmissionStep } from '../sdk/admission.ts';
import type { UserInfo } from '../sdk/user.ts';

export interface AccessControlOptions {
  readonly kinds: KindRegistry;
  readonly tokenKeys: TokenKeys;
  readonly issuer: string;
  /** PEM, current at each call. */
  clientCAs(): readonly string[];
  frontProxyCAs(): readonly string[];
  readonly logger: Logger;
  /** Who the server acts as when it charges quotas. */
  readonly serverUser: UserInfo;
}

/** The chains of a running API server, open to plugins. */
export interface AccessControl {
  /** Hand these to `createApiServer`. */
  readonly options: Pick<ApiServerOptions, 'authentication' | 'authorization' | 'admission' | 'tokenRequester' | 'bootstrap'>;
  /** There after `createApiServer`. */
  readonly authentication: AuthenticationChain;
  readonly authorization: AuthorizationChain;
  /** Adds a step after the built-in ones; returns its removal. */
  readonly admission: { register(step: AdmissionStep): () => void };
  stop(): void;
}

const RBAC_RESOURCES = ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'].map((name) => `${name}.rbac.authorization.k8s.io`);

/** Kubernetes' own authentication, authorization and admission, with their objects from the watch cache. */
export function createAccessControl(options: AccessControlOptions): AccessControl {
  const { kinds, tokenKeys, issuer, logger } = options;
  const audiences = [issuer];
  let authentication: AuthenticationChain | undefined;
  let authorization: AuthorizationChain | undefined;
  let rbac: RbacAuthorizer | undefined;
  let node: NodeAuthorizer | undefined;
  let extensions: readonly AdmissionStep[] = [];
  const started = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('the API server has not been created yet');
    return part;
  };
  return {
    options: {
      authentication(reader) {
        const getter: ObjectGetter = reader;
        authentication = new AuthenticationChain({
          logger,
          authenticators: defaultAuthenticators({
            getter,
            keys: tokenKeys,
            issuers: [issuer],
            audiences,
            logger,
            clientCAs: options.clientCAs,
            frontProxy: { cas: options.frontProxyCAs, allowedNames: ['front-proxy-client'] },
          }),
        });
        return authentication;
      },
      authorization(reader) {
        const rbacSource: RbacSource = { subscribe: (listener) => reader.subscribe(RBAC_RESOURCES, listener) };
        const nodeSource: NodeGraphSource = { subscribe: (resource, listener) => reader.subscribe([resource], listener) };
        rbac = new RbacAuthorizer(rbacSource);
        node = new NodeAuthorizer(nodeSource);
        authorization = new AuthorizationChain({ authorizers: [systemMasters, node, rbac], logger });
        return authorization;
      },
      admission(reader, transport) {
        const lookup: AdmissionLookup = reader;
        const server = transport(options.serverUser, 'kube-apiserver');
        const steps = (extra: readonly AdmissionStep[]) =>
          defaultAdmissionSteps({
            lookup,
            authorizer: started(authorization),
            rbac: started(rbac),
            updateQuotaStatus: async (quota) => {
              const { namespace, name } = quota.metadata;
              const path = `/api/v1/namespaces/${namespace}/resourcequotas/${name}/status`;
              return (await server.request<ResourceQuota>({ method: 'PUT', path, body: quota })).body;
            },
            resourceOf: (group, version, kind) => kinds.byKind(group, version, kind),
            extensions: extra,
          });
        let current = steps([]);
        let built = extensions;
        return () => {
          if (built !== extensions) {
            current = steps(extensions);
            built = extensions;
          }
          return current;
        };
      },
      tokenRequester(reader) {
        const tokenIssuer = new TokenIssuer({ keys: tokenKeys, issuer });
        return (namespace, name, request) => requestToken({ issuer: tokenIssuer, getter: reader, audiences }, namespace, name, request);
      },
      bootstrap: [{ name: 'rbac/bootstrap-roles', run: ensureBootstrapPolicy }],
    },
    get authentication() {
      return started(authentication);
    },
    get authorization() {
      return started(authorization);
    },
    admission: {
      register(step) {
        extensions = [...extensions, step];
        return () => {
          extensions = extensions.filter((known) => known !== step);
        };
      },
    },
    stop() {
      rbac?.stop();
      node?.stop();
    },
  };
}
