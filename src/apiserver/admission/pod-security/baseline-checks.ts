import type { Container } from '../../../api/types/core.v1.gen.ts';
import {
  type Check,
  containerList,
  containersOf,
  joinQuoted,
  plural,
  setters,
  sortedSet,
  violation,
} from './violation.ts';

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER_ANNOTATION = 'container.seccomp.security.alpha.kubernetes.io/';

/** Sysctls that a pod may set, by the version that allowed them. */
const SYSCTLS: readonly (readonly [since: number, names: readonly string[]])[] = [
  [
    0,
    [
      'kernel.shm_rmid_forced',
      'net.ipv4.ip_local_port_range',
      'net.ipv4.tcp_syncookies',
      'net.ipv4.ping_group_range',
      'net.ipv4.ip_unprivileged_port_start',
    ],
  ],
  [27, ['net.ipv4.ip_local_reserved_ports']],
  [
    29,
    [
      'net.ipv4.tcp_keepalive_time',
      'net.ipv4.tcp_fin_timeout',
      'net.ipv4.tcp_keepalive_intvl',
      'net.ipv4.tcp_keepalive_probes',
    ],
  ],
  [32, ['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem']],
];

const appArmorProfile: Check = {
  id: 'appArmorProfile',
  check({ spec, metadata }) {
    const values = new Set<string>();
    const bad = (type: string | undefined) => {
      if (type === undefined || type === 'RuntimeDefault' || type === 'Localhost') return false;
      values.add(type);
      return true;
    };
    const podIsBad = bad(spec.securityContext?.appArmorProfile?.type);
    const containers = containersOf(spec).flatMap(({ name, securityContext }) =>
      bad(securityContext?.appArmorProfile?.type) ? [name] : [],
    );
    const annotations = Object.entries(metadata?.annotations ?? {}).flatMap(([key, value]) => {
      if (
        !key.startsWith(APPARMOR_ANNOTATION) ||
        value === '' ||
        value === 'runtime/default' ||
        value.startsWith('localhost/')
      )
        return [];
      values.add(value);
      return [key];
    });
    const who = [
      setters(podIsBad, containers),
      ...(annotations.length
        ? [`${plural('annotation', 'annotations', annotations.length)} ${joinQuoted(annotations.sort())}`]
        : []),
    ];
    if (values.size === 0) return undefined;
    return violation(
      plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.size),
      `${who.filter(Boolean).join(' and ')} must not set AppArmor profile type to ${joinQuoted(sortedSet(values))}`,
    );
  },
};

export const capabilitiesBaseline: Check = {
  id: 'capabilities_baseline',
  check({ spec }) {
    const found = new Set<string>();
    const bad = containersOf(spec).flatMap(({ name, securityContext }) => {
      const extra = (securityContext?.capabilities?.add ?? []).filter(
        (capability) => !DEFAULT_CAPABILITIES.has(capability),
      );
      for (const capability of extra) found.add(capability);
      return extra.length ? [name] : [];
    });
    if (bad.length === 0) return undefined;
    return violation(
      'non-default capabilities',
      `${containerList(bad)} must not include ${joinQuoted(sortedSet(found))} in securityContext.capabilities.add`,
    );
  },
};

const hostNamespaces: Check = {
  id: 'hostNamespaces',
  check({ spec }) {
    const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
    return shared.length ? violation('host namespaces', shared.map((field) => `${field}=true`).join(', ')) : undefined;
  },
};

export const hostPathVolumes: Check = {
  id: 'hostPathVolumes',
  check({ spec }) {
    const names = (spec.volumes ?? []).filter((volume) => volume.hostPath).map((volume) => volume.name);
    return names.length
      ? violation('hostPath volumes', `${plural('volume', 'volumes', names.length)} ${joinQuoted(names)}`)
      : undefined;
  },
};

const hostPorts: Check = {
  id: 'hostPorts',
  check({ spec }) {
    const ports = new Set<number>();
    const bad = containersOf(spec).flatMap(({ name, container }) => {
      const taken = (container.ports ?? []).flatMap((port) => (port.hostPort ? [port.hostPort] : []));
      for (const port of taken) ports.add(port);
      return taken.length ? [name] : [];
    });
    if (bad.length === 0) return undefined;
    const list = [...ports].map(String).sort().join(', ');
    return violation(
      'hostPort',
      `${containerList(bad)} ${plural('uses', 'use', bad.length)} ${plural('hostPort', 'hostPorts', ports.size)} ${list}`,
    );
  },
};

const hostProbes: Check = {
  id: 'hostProbesAndHostLifecycle',
  since: 34,
  check({ spec }) {
    const hosts = new Set<string>();
    const bad = containersOf(spec).flatMap(({ name, container }) => {
      const named = handlersOf(container).flatMap((handler) =>
        [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host): host is string => !!host),
      );
      for (const host of named) hosts.add(host);
      return named.length ? [name] : [];
    });
    if (bad.length === 0) return undefined;
    return violation(
      'probe or lifecycle host',
      `${containerList(bad)} ${plural('uses', 'use', bad.length)} probe or lifecycle ${plural('host', 'hosts', hosts.size)} ${joinQuoted(sortedSet(hosts))}`,
    );
  },
};

function handlersOf({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container) {
  return [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
}

const privileged: Check = {
  id: 'privileged',
  check({ spec }) {
    const bad = containersOf(spec).flatMap(({ name, securityContext }) => (securityContext?.privileged ? [name] : []));
    return bad.length
      ? violation('privileged', `${containerList(bad)} must not set securityContext.privileged=true`)
      : undefined;
  },
};

const procMount: Check = {
  id: 'procMount',
  check({ spec }, minor) {
    // In a user namespace of its own a pod sees no more of /proc than it may.
    if (spec.hostUsers === false && minor >= 35) return undefined;
    const values = new Set<string>();
    const bad = containersOf(spec).flatMap(({ name, securityContext }) => {
      const mount = securityContext?.procMount;
      if (mount === undefined || mount === 'Default') return [];
      values.add(mount);
      return [name];
    });
    return bad.length
      ? violation(
          'procMount',
          `${containerList(bad)} must not set securityContext.procMount to ${joinQuoted(sortedSet(values))}`,
        )
      : undefined;
  },
};

const seLinuxOptions: Check = {
  id: 'seLinuxOptions',
  check({ spec }, minor) {
    const types = new Set<string>();
    let user = false;
    let role = false;
    const allowed = [
      '',
      'container_t',
      'container_init_t',
      'container_kvm_t',
      ...(minor >= 31 ? ['container_engine_t'] : []),
    ];
    const bad = (options: { readonly type?: string; readonly user?: string; readonly role?: string } | undefined) => {
      if (!options) return false;
      const wrongType = options.type !== undefined && !allowed.includes(options.type);
      if (wrongType) types.add(options.type!);
      if (options.user) user = true;
      if (options.role) role = true;
      return wrongType || !!options.user || !!options.role;
    };
    const podIsBad = bad(spec.securityContext?.seLinuxOptions);
    const containers = containersOf(spec).flatMap(({ name, securityContext }) =>
      bad(securityContext?.seLinuxOptions) ? [name] : [],
    );
    if (!podIsBad && containers.length === 0) return undefined;
    const data = [
      ...(types.size ? [`${plural('type', 'types', types.size)} ${joinQuoted(sortedSet(types))}`] : []),
      ...(user ? ['user may not be set'] : []),
      ...(role ? ['role may not be set'] : []),
    ];
    return violation(
      'seLinuxOptions',
      `${setters(podIsBad, containers)} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    );
  },
};

export const seccompBaseline: Check = {
  id: 'seccompProfile_baseline',
  check({ spec, metadata }, minor) {
    const values = new Set<string>();
    if (minor < 19) {
      const keys = Object.entries(metadata?.annotations ?? {}).flatMap(([key, value]) => {
        if (key !== SECCOMP_POD_ANNOTATION && !key.startsWith(SECCOMP_CONTAINER_ANNOTATION)) return [];
        if (value === '' || value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/'))
          return [];
        return [`${key}=${JSON.stringify(value)}`];
      });
      return keys.length
        ? violation(
            'seccompProfile',
            `forbidden ${plural('annotation', 'annotations', keys.length)} ${keys.sort().join(', ')}`,
          )
        : undefined;
    }
    const bad = (type: string | undefined) => {
      if (type === undefined || type === 'RuntimeDefault' || type === 'Localhost') return false;
      values.add(type);
      return true;
    };
    const podIsBad = bad(spec.securityContext?.seccompProfile?.type);
    const containers = containersOf(spec).flatMap(({ name, securityContext }) =>
      bad(securityContext?.seccompProfile?.type) ? [name] : [],
    );
    if (values.size === 0) return undefined;
    return violation(
      'seccompProfile',
      `${setters(podIsBad, containers)} must not set securityContext.seccompProfile.type to ${joinQuoted(sortedSet(values))}`,
    );
  },
};

const sysctls: Check = {
  id: 'sysctls',
  check({ spec }, minor) {
    const allowed = new Set(SYSCTLS.flatMap(([since, names]) => (minor >= since ? names : [])));
    const bad = (spec.securityContext?.sysctls ?? []).map((sysctl) => sysctl.name).filter((name) => !allowed.has(name));
    return bad.length
      ? violation(plural('forbidden sysctl', 'forbidden sysctls', bad.length), bad.join(', '))
      : undefined;
  },
};

const windowsHostProcess: Check = {
  id: 'windowsHostProcess',
  check({ spec }) {
    const podIsBad = spec.securityContext?.windowsOptions?.hostProcess === true;
    const containers = containersOf(spec).flatMap(({ name, securityContext }) =>
      securityContext?.windowsOptions?.hostProcess ? [name] : [],
    );
    if (!podIsBad && containers.length === 0) return undefined;
    return violation(
      'hostProcess',
      `${setters(podIsBad, containers)} must not set securityContext.windowsOptions.hostProcess=true`,
    );
  },
};

/** The baseline level, in the order in which violations are told. */
export const baselineChecks: readonly Check[] = [
  appArmorProfile,
  capabilitiesBaseline,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompBaseline,
  sysctls,
  windowsHostProcess,
];
