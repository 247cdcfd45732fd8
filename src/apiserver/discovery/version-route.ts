import type { RequestRouter } from '../request/request-router.ts';

/** The Kubernetes version whose API this is. */
export const KUBERNETES_VERSION = { major: '1', minor: '36', gitVersion: 'v1.36.0' } as const;

export function versionInfo(): Readonly<Record<string, string>> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`;
  return {
    ...KUBERNETES_VERSION,
    emulationMajor: KUBERNETES_VERSION.major,
    emulationMinor: KUBERNETES_VERSION.minor,
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
    gitCommit: '0000000000000000000000000000000000000000',
    gitTreeState: 'clean',
    buildDate: '2026-04-22T00:00:00Z',
    goVersion: 'go1.26.0',
    compiler: 'gc',
    platform,
  };
}

export function addVersionRoute(router: RequestRouter): void {
  const body = JSON.stringify(versionInfo(), null, 2);
  router.addPath('/version', () => ({ type: 'content', status: 200, contentType: 'application/json', body }));
}
