import type { HealthChecks } from '../health/health-checks.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { DiscoveryDocuments } from './discovery-documents.ts';

/** `/`: the paths that there are, but for those of objects. */
export function addIndexRoute(router: RequestRouter, documents: DiscoveryDocuments, health: HealthChecks): void {
  const index = () => {
    const groups = documents.groups().flatMap(({ group, versions }) => {
      const root = group ? `/apis/${group}` : '/api';
      return [root, ...versions.map(({ version }) => `${root}/${version}`)];
    });
    const checks = (['healthz', 'livez', 'readyz'] as const).flatMap((endpoint) =>
      [...health.of(endpoint).keys()].map((name) => `/${endpoint}/${name}`),
    );
    const paths = [...new Set([...router.paths.filter((path) => path !== '/'), '/apis/', ...groups, ...checks])].sort();
    return {
      type: 'content',
      status: 200,
      contentType: 'application/json',
      body: JSON.stringify({ paths }, null, 2),
    } as const;
  };
  router.addPath('/', index);
}
