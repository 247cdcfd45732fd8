import { existsSync, readFileSync } from 'node:fs';

export interface ContainerdConfig {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** Per-registry hosts.toml files. */
  readonly certsDir: string;
  readonly sandboxImage: string;
  readonly snapshotter: 'overlayfs' | 'native';
  readonly apparmor: boolean;
}

/**
 * The configuration of a containerd of our own, in version 2 (containerd 1.6 and 1.7 read it; 2.x converts it).
 *
 * `restrict_oom_score_adj` keeps scores from going below containerd's own: a process without CAP_SYS_RESOURCE may not
 * lower them. Pods' cgroups are plain directories (cgroupfs) that the kubelet makes, whatever the host's init does.
 */
export function containerdToml(config: ContainerdConfig): string {
  const text = JSON.stringify;
  return `version = 2
root = ${text(config.root)}
state = ${text(config.state)}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri"]

[grpc]
  address = ${text(config.socket)}

[ttrpc]
  address = ${text(`${config.socket}.ttrpc`)}

[debug]
  level = "warn"

[plugins."io.containerd.internal.v1.opt"]
  path = ${text(`${config.root}/opt`)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(config.sandboxImage)}
  restrict_oom_score_adj = true
  disable_apparmor = ${!config.apparmor}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  image_pull_progress_timeout = "5m"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(config.cniBinDir)}
    conf_dir = ${text(config.cniConfDir)}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${text(config.certsDir)}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = ${text(config.snapshotter)}
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = ${text(`${config.state}/runc`)}
        SystemdCgroup = false
`;
}

/** Whether the kernel enforces AppArmor and its parser is there to load profiles. */
export function apparmorAvailable(): boolean {
  try {
    return (
      readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y') &&
      existsSync('/sbin/apparmor_parser')
    );
  } catch {
    return false;
  }
}
