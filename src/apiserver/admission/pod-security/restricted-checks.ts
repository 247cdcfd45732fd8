import { baselineChecks, capabilitiesBaseline, hostPathVolumes, seccompBaseline } from './baseline-checks.ts';
import {
  type Check,
  containerList,
  containersOf,
  isWindows,
  joinQuoted,
  plural,
  setters,
  sortedSet,
  violation,
} from './violation.ts';

const ALLOWED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const allowPrivilegeEscalation: Check = {
  id: 'allowPrivilegeEscalation',
  since: 8,
  check({ spec }, minor) {
    if (minor >= 25 && isWindows(spec)) return undefined;
    const bad = containersOf(spec).flatMap(({ name, securityContext }) =>
      securityContext?.allowPrivilegeEscalation === false ? [] : [name],
    );
    return bad.length
      ? violation(
          'allowPrivilegeEscalation != false',
          `${containerList(bad)} must set securityContext.allowPrivilegeEscalation=false`,
        )
      : undefined;
  },
};

const capabilitiesRestricted: Check = {
  id: 'capabilities_restricted',
  since: 22,
  check({ spec }, minor) {
    if (minor >= 25 && isWindows(spec)) return undefined;
    const added = new Set<string>();
    const keeping: string[] = [];
    const adding: string[] = [];
    for (const { name, securityContext } of containersOf(spec)) {
      if (!securityContext?.capabilities?.drop?.includes('ALL')) keeping.push(name);
      const extra = (securityContext?.capabilities?.add ?? []).filter(
        (capability) => capability !== 'NET_BIND_SERVICE',
      );
      for (const capability of extra) added.add(capability);
      if (extra.length) adding.push(name);
    }
    const details = [
      ...(keeping.length ? [`${containerList(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
      ...(adding.length
        ? [
            `${containerList(adding)} must not include ${joinQuoted(sortedSet(added))} in securityContext.capabilities.add`,
          ]
        : []),
    ];
    return details.length ? violation('unrestricted capabilities', details.join('; ')) : undefined;
  },
};

const restrictedVolumes: Check = {
  id: 'restrictedVolumes',
  check({ spec }) {
    const types = new Set<string>();
    const bad = (spec.volumes ?? []).flatMap((volume) => {
      const source = Object.keys(volume).find((field) => field !== 'name');
      if (source === undefined || ALLOWED_VOLUMES.has(source)) return [];
      types.add(source);
      return [volume.name];
    });
    if (bad.length === 0) return undefined;
    return violation(
      'restricted volume types',
      `${plural('volume', 'volumes', bad.length)} ${joinQuoted(bad)} ${plural('uses', 'use', bad.length)} restricted volume ${plural('type', 'types', types.size)} ${joinQuoted(sortedSet(types))}`,
    );
  },
};

const runAsNonRoot: Check = {
  id: 'runAsNonRoot',
  check({ spec }, minor) {
    if (minor >= 35 && spec.hostUsers === false) return undefined;
    const pod = spec.securityContext?.runAsNonRoot;
    const refusing: string[] = [];
    const open: string[] = [];
    for (const { name, securityContext } of containersOf(spec)) {
      if (securityContext?.runAsNonRoot === false) refusing.push(name);
      else if (securityContext?.runAsNonRoot === undefined && pod !== true) open.push(name);
    }
    if (refusing.length) {
      return violation(
        'runAsNonRoot != true',
        `${setters(pod === false, refusing)} must not set securityContext.runAsNonRoot=false`,
      );
    }
    if (open.length === 0) return undefined;
    if (pod === false) return violation('runAsNonRoot != true', 'pod must not set securityContext.runAsNonRoot=false');
    return violation(
      'runAsNonRoot != true',
      `pod or ${containerList(open)} must set securityContext.runAsNonRoot=true`,
    );
  },
};

const runAsUser: Check = {
  id: 'runAsUser',
  since: 23,
  check({ spec }, minor) {
    if (minor >= 35 && spec.hostUsers === false) return undefined;
    const podIsRoot = spec.securityContext?.runAsUser === 0;
    const bad = containersOf(spec).flatMap(({ name, securityContext }) =>
      securityContext?.runAsUser === 0 ? [name] : [],
    );
    return podIsRoot || bad.length
      ? violation('runAsUser=0', `${setters(podIsRoot, bad)} must not set runAsUser=0`)
      : undefined;
  },
};

const seccompRestricted: Check = {
  id: 'seccompProfile_restricted',
  since: 19,
  check({ spec }, minor) {
    if (minor >= 25 && isWindows(spec)) return undefined;
    const values = new Set<string>();
    const valid = (type: string | undefined) => type === 'RuntimeDefault' || type === 'Localhost';
    const podType = spec.securityContext?.seccompProfile?.type;
    const podIsBad = podType !== undefined && !valid(podType);
    if (podIsBad) values.add(podType);
    const explicit: string[] = [];
    const open: string[] = [];
    for (const { name, securityContext } of containersOf(spec)) {
      const type = securityContext?.seccompProfile?.type;
      if (type === undefined) {
        if (podType === undefined) open.push(name);
      } else if (!valid(type)) {
        explicit.push(name);
        values.add(type);
      }
    }
    if (values.size)
      return violation(
        'seccompProfile',
        `${setters(podIsBad, explicit)} must not set securityContext.seccompProfile.type to ${joinQuoted(sortedSet(values))}`,
      );
    if (open.length === 0) return undefined;
    return violation(
      'seccompProfile',
      `pod or ${containerList(open)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
    );
  },
};

const REPLACED = new Set([capabilitiesBaseline, hostPathVolumes, seccompBaseline]);
const own: readonly Check[] = [
  allowPrivilegeEscalation,
  capabilitiesRestricted,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompRestricted,
];

/** The restricted level of a version: what of the baseline it does not replace, then its own rules. */
export function restrictedChecks(minor: number): readonly Check[] {
  const active = own.filter((check) => (check.since ?? 0) <= minor);
  const ids = new Set(active.map((check) => check.id));
  const replaced = (check: Check) =>
    REPLACED.has(check) &&
    ((check === capabilitiesBaseline && ids.has('capabilities_restricted')) ||
      (check === hostPathVolumes && ids.has('restrictedVolumes')) ||
      (check === seccompBaseline && ids.has('seccompProfile_restricted')));
  return [...baselineChecks.filter((check) => !replaced(check)), ...active];
}
