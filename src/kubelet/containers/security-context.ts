import type { Container, Pod, SELinuxOptions, SeccompProfile, SecurityContext } from '../../api/types/core.v1.gen.ts';
import type { RuntimeImage } from '../runtime/container-runtime.ts';
import type {
  LinuxContainerSecurityContext,
  NamespaceOption,
  SELinuxOption,
  SecurityProfile,
} from '../runtime/sandbox-config.ts';

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The container's own security context with what it leaves open taken from the pod's. */
export function effectiveSecurityContext(pod: Pod, container: Pick<Container, 'securityContext'>): SecurityContext {
  const { runAsUser, runAsGroup, runAsNonRoot, seLinuxOptions, seccompProfile, appArmorProfile } =
    pod.spec.securityContext ?? {};
  const inherited = { runAsUser, runAsGroup, runAsNonRoot, seLinuxOptions, seccompProfile, appArmorProfile };
  const own = Object.entries(container.securityContext ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return { ...inherited, ...Object.fromEntries(own) };
}

export interface SecurityOptions {
  /** Where Localhost seccomp profiles are. */
  readonly seccompDir: string;
  readonly targetContainerId?: string;
}

/** Throws an Error with upstream's words when `runAsNonRoot` can't hold. */
export function linuxSecurityContext(
  pod: Pod,
  container: Container,
  image: RuntimeImage | undefined,
  options: SecurityOptions,
): LinuxContainerSecurityContext {
  const context = effectiveSecurityContext(pod, container);
  verifyRunAsNonRoot(pod, container, context, image);
  const privileged = context.privileged ?? false;
  const unmasked = context.procMount === 'Unmasked';
  const { fsGroup, supplementalGroups = [], supplementalGroupsPolicy } = pod.spec.securityContext ?? {};
  const seccomp = seccompOf(context.seccompProfile, options.seccompDir);
  const runAsUser = context.runAsUser ?? image?.uid;
  return {
    privileged,
    namespaceOptions: namespaceOptions(pod, options.targetContainerId),
    readonlyRootfs: context.readOnlyRootFilesystem ?? false,
    noNewPrivs: context.allowPrivilegeEscalation === false,
    supplementalGroups: [...new Set([...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups])],
    ...(supplementalGroupsPolicy ? { supplementalGroupsPolicy: supplementalGroupsPolicy as 'Merge' | 'Strict' } : {}),
    maskedPaths: privileged || unmasked ? [] : MASKED_PATHS,
    readonlyPaths: privileged || unmasked ? [] : READONLY_PATHS,
    ...(runAsUser === undefined
      ? image?.username
        ? { runAsUsername: image.username }
        : {}
      : { runAsUser: { value: runAsUser } }),
    ...(context.runAsGroup === undefined ? {} : { runAsGroup: { value: context.runAsGroup } }),
    ...(context.seLinuxOptions ? { selinuxOptions: seLinux(context.seLinuxOptions) } : {}),
    ...(context.capabilities
      ? {
          capabilities: {
            addCapabilities: context.capabilities.add ?? [],
            dropCapabilities: context.capabilities.drop ?? [],
          },
        }
      : {}),
    ...(seccomp && !privileged ? { seccomp } : {}),
    ...(context.appArmorProfile
      ? {
          apparmor: {
            profileType: context.appArmorProfile.type as SecurityProfile['profileType'],
            localhostRef: context.appArmorProfile.localhostProfile ?? '',
          },
        }
      : {}),
  };
}

export function namespaceOptions(pod: Pod, targetContainerId?: string): NamespaceOption {
  const { hostNetwork, hostIPC, hostPID, shareProcessNamespace } = pod.spec;
  const pid = hostPID ? 'NODE' : targetContainerId ? 'TARGET' : shareProcessNamespace ? 'POD' : 'CONTAINER';
  return {
    network: hostNetwork ? 'NODE' : 'POD',
    ipc: hostIPC ? 'NODE' : 'POD',
    pid,
    ...(pid === 'TARGET' ? { targetId: targetContainerId } : {}),
  };
}

/** No profile is unconfined. */
export function seccompOf(profile: SeccompProfile | undefined, directory: string): SecurityProfile {
  if (profile?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault', localhostRef: '' };
  if (profile?.type === 'Localhost')
    return { profileType: 'Localhost', localhostRef: `${directory}/${profile.localhostProfile ?? ''}` };
  return { profileType: 'Unconfined', localhostRef: '' };
}

export function seLinux(options: SELinuxOptions): SELinuxOption {
  return { user: options.user ?? '', role: options.role ?? '', type: options.type ?? '', level: options.level ?? '' };
}

function verifyRunAsNonRoot(
  pod: Pod,
  container: Container,
  context: SecurityContext,
  image: RuntimeImage | undefined,
): void {
  if (!context.runAsNonRoot) return;
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  if (context.runAsUser !== undefined) {
    if (context.runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (image?.uid !== undefined) {
    if (image.uid === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
    return;
  }
  if (image?.username) {
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  }
  throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
}
