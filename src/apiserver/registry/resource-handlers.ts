import type { Authenticator } from '../../sdk/authentication.ts';
import type { RequestRouter } from '../request/request-router.ts';
import { approvalStrategy } from './certificates/certificate-hooks.ts';
import { type ComponentCheck, serveComponentStatuses } from './component-statuses.ts';
import { finalizeStrategy } from './namespaces/namespace-hooks.ts';
import { bind } from './pods/binding.ts';
import { evict } from './pods/eviction.ts';
import { ephemeralContainersStrategy, resizeStrategy } from './pods/pod-strategies.ts';
import type { RegistryServices } from './registry-services.ts';
import { serveSubresource } from './resource-operations.ts';
import { reviewAccess, reviewRules } from './reviews/access-reviews.ts';
import { reviewSelf, reviewToken } from './reviews/identity-reviews.ts';
import type { RulesReviewer, TokenRequester } from './reviews/review-services.ts';
import { serveScale } from './scale.ts';
import { createToken } from './serviceaccounts/token.ts';
import type { SubresourceStrategy } from './update.ts';

export interface ResourceHandlerOptions {
  readonly services: RegistryServices;
  readonly authentication: Authenticator;
  readonly rulesReviewer: Partial<RulesReviewer>;
  readonly tokenRequester: TokenRequester | undefined;
  readonly componentChecks: ReadonlyMap<string, ComponentCheck>;
}

/** Routes of the resources and subresources that are more than stored objects. */
export function addResourceHandlers(router: RequestRouter, options: ResourceHandlerOptions): void {
  const { services } = options;
  const part = (group: string, resource: string, strategy: SubresourceStrategy) =>
    router.addSubresource(group, resource, strategy.name, (context, definition) =>
      serveSubresource(services, context, definition, strategy),
    );
  router.addGenericSubresource('status', (context, definition) => serveSubresource(services, context, definition));
  router.addGenericSubresource('scale', (context, definition) => serveScale(services, context, definition));

  part('', 'namespaces', finalizeStrategy);
  part('', 'pods', ephemeralContainersStrategy);
  part('', 'pods', resizeStrategy);
  part('certificates.k8s.io', 'certificatesigningrequests', approvalStrategy(services.now));
  router.addSubresource('', 'pods', 'binding', (context, definition) => bind(services, context, definition));
  router.addSubresource('', 'pods', 'eviction', (context, definition) => evict(services, context, definition));
  router.addResource('', 'bindings', (context) =>
    bind(services, context, services.kinds.byResource('', 'v1', 'pods')!),
  );
  router.addSubresource('', 'serviceaccounts', 'token', (context, definition) =>
    createToken(services, context, definition, options.tokenRequester),
  );

  router.addResource('', 'componentstatuses', (context, definition) =>
    serveComponentStatuses(context, definition, options.componentChecks),
  );
  for (const resource of ['subjectaccessreviews', 'localsubjectaccessreviews', 'selfsubjectaccessreviews'])
    router.addResource('authorization.k8s.io', resource, (context, definition) =>
      reviewAccess(services, context, definition),
    );
  router.addResource('authorization.k8s.io', 'selfsubjectrulesreviews', (context, definition) =>
    reviewRules(services, context, definition, options.rulesReviewer),
  );
  router.addResource('authentication.k8s.io', 'selfsubjectreviews', (context, definition) =>
    reviewSelf(services, context, definition),
  );
  router.addResource('authentication.k8s.io', 'tokenreviews', (context, definition) =>
    reviewToken(services, context, definition, options.authentication),
  );
}
