/** What upstream gives the APIServices of its groups: the higher one is preferred. */
const groupPriorities: Readonly<Record<string, number>> = {
  'apiregistration.k8s.io': 20_001,
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'admissionregistration.k8s.io': 16_700,
  'apiextensions.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'resource.k8s.io': 15_900,
  'storagemigration.k8s.io': 15_800,
};

/** Of groups that come from CRDs. */
export const CUSTOM_GROUP_PRIORITY = 1000;
export const CUSTOM_VERSION_PRIORITY = 100;

export const groupPriority = (group: string): number => groupPriorities[group] ?? CUSTOM_GROUP_PRIORITY;

export const isUpstreamGroup = (group: string): boolean => groupPriorities[group] !== undefined;

/** Of a version of upstream's own groups. */
export function versionPriority(group: string, version: string): number {
  if (group === '') return 1;
  if (group === 'autoscaling' && version === 'v2') return 30;
  if (group === 'flowcontrol.apiserver.k8s.io' && version === 'v1') return 21;
  const stage = parse(version)?.stage ?? 1;
  return stage === 3 ? 15 : stage === 2 ? 9 : 1;
}

interface RankedGroup {
  readonly group: string;
  /** That of upstream's groups or of CRDs when absent. */
  readonly priority?: number;
}

/** The preferred one first; equal ones by name. The core group, which has no name, is always first. */
export function compareGroups(a: RankedGroup, b: RankedGroup): number {
  if (a.group === '' || b.group === '') return a.group === '' ? -1 : 1;
  const difference = (b.priority ?? groupPriority(b.group)) - (a.priority ?? groupPriority(a.group));
  return difference || (a.group < b.group ? -1 : a.group > b.group ? 1 : 0);
}

/** Kubernetes' version priority: GA before beta before alpha, newer first; anything else by name after them. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [parse(a), parse(b)];
  if (!first || !second) return first ? -1 : second ? 1 : a < b ? -1 : a > b ? 1 : 0;
  return second.stage - first.stage || second.major - first.major || second.minor - first.minor;
}

function parse(version: string): { stage: number; major: number; minor: number } | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (!match) return undefined;
  const stage = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1;
  return { stage, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}
