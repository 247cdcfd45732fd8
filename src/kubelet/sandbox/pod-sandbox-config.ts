import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { sandboxLabels } from '../containers/container-labels.ts';
import { effectiveSecurityContext, namespaceOptions, seccompOf, seLinux } from '../containers/security-context.ts';
import type { DNSConfig, PodSandboxConfig, PortMapping } from '../runtime/sandbox-config.ts';

export interface SandboxConfigOptions {
  readonly attempt: number;
  readonly hostname: string;
  readonly dnsConfig: DNSConfig | undefined;
  readonly logDirectory: string;
  /** Of the pod, below the mount point; empty where there are no cgroups. */
  readonly cgroupParent: string;
  readonly instance: string;
  readonly seccompDir: string;
}

export function podSandboxConfig(pod: Pod, options: SandboxConfigOptions): PodSandboxConfig {
  const context = pod.spec.securityContext ?? {};
  const containers: readonly Container[] = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const privileged = containers.some((container) => effectiveSecurityContext(pod, container).privileged);
  return {
    metadata: {
      name: pod.metadata.name,
      namespace: pod.metadata.namespace ?? '',
      uid: pod.metadata.uid ?? '',
      attempt: options.attempt,
    },
    hostname: pod.spec.hostNetwork ? '' : options.hostname,
    logDirectory: options.logDirectory,
    ...(options.dnsConfig ? { dnsConfig: options.dnsConfig } : {}),
    portMappings: pod.spec.hostNetwork ? [] : containers.flatMap(portMappings),
    labels: sandboxLabels(pod, options.instance),
    annotations: { ...pod.metadata.annotations },
    linux: {
      cgroupParent: options.cgroupParent,
      sysctls: Object.fromEntries((context.sysctls ?? []).map(({ name, value }) => [name, value])),
      securityContext: {
        privileged,
        namespaceOptions: namespaceOptions(pod),
        seccomp: privileged ? seccompOf(undefined, '') : { profileType: 'RuntimeDefault', localhostRef: '' },
        supplementalGroups: [
          ...(context.fsGroup === undefined ? [] : [context.fsGroup]),
          ...(context.supplementalGroups ?? []),
        ],
        ...(context.runAsUser === undefined ? {} : { runAsUser: { value: context.runAsUser } }),
        ...(context.runAsGroup === undefined ? {} : { runAsGroup: { value: context.runAsGroup } }),
        ...(context.seLinuxOptions ? { selinuxOptions: seLinux(context.seLinuxOptions) } : {}),
      },
    },
  };
}

function portMappings(container: Container): PortMapping[] {
  return (container.ports ?? [])
    .filter(({ hostPort }) => hostPort)
    .map(({ containerPort, hostPort = 0, hostIP = '', protocol = 'TCP' }) => ({
      containerPort,
      hostPort,
      hostIp: hostIP,
      protocol: protocol as PortMapping['protocol'],
    }));
}
