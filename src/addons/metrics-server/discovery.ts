import { GROUP, VERSION } from './metrics-objects.ts';

interface Document {
  readonly contentType: string;
  readonly body: unknown;
}

const groupVersion = `${GROUP}/${VERSION}`;
const verbs = ['get', 'list'];
const RESOURCES = [
  { name: 'nodes', namespaced: false, kind: 'NodeMetrics' },
  { name: 'pods', namespaced: true, kind: 'PodMetrics' },
];

/** The document at a discovery path, or `undefined`. */
export function discovery(path: string, accept = ''): Document | undefined {
  const version = { groupVersion, version: VERSION };
  const group = { name: GROUP, versions: [version], preferredVersion: version };
  switch (path) {
    case '/apis':
    case '/apis/': {
      const wanted = aggregatedVersion(accept);
      if (wanted)
        return {
          contentType: `application/json;g=apidiscovery.k8s.io;v=${wanted};as=APIGroupDiscoveryList`,
          body: aggregated(wanted),
        };
      return json({ kind: 'APIGroupList', apiVersion: 'v1', groups: [group] });
    }
    case `/apis/${GROUP}`:
    case `/apis/${GROUP}/`:
      return json({ kind: 'APIGroup', apiVersion: 'v1', ...group });
    case `/apis/${groupVersion}`:
    case `/apis/${groupVersion}/`:
      return json({
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion,
        resources: RESOURCES.map(({ name, namespaced, kind }) => ({ name, singularName: '', namespaced, kind, verbs })),
      });
    default:
      return undefined;
  }
}

const json = (body: unknown): Document => ({ contentType: 'application/json', body });

function aggregatedVersion(accept: string): string | undefined {
  const part = accept
    .split(',')
    .find((one) => one.includes('as=APIGroupDiscoveryList') && one.includes('g=apidiscovery.k8s.io'));
  return /v=(v2beta1|v2)(;|\s|$)/.exec(part ?? '')?.[1];
}

function aggregated(version: string): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: [
      {
        metadata: { name: GROUP, creationTimestamp: null },
        versions: [
          {
            version: VERSION,
            freshness: 'Current',
            resources: RESOURCES.map(({ name, namespaced, kind }) => ({
              resource: name,
              responseKind: { group: GROUP, version: VERSION, kind },
              scope: namespaced ? 'Namespaced' : 'Cluster',
              singularResource: '',
              verbs,
            })),
          },
        ],
      },
    ],
  };
}
