import { createHash } from 'node:crypto';
import type { Logger } from '../apimachinery/logger.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { ContainerRuntime } from '../kubelet/runtime/container-runtime.ts';
import type { Containerd } from '../kubelet/runtime/containerd/containerd.ts';
import type { PodAddresses } from '../kubelet/runtime/simulated/pod-addresses.ts';
import type { UserInfo } from '../sdk/user.ts';
import type { Connection } from './connection.ts';
import type { ClusterConfig } from './options.ts';
import type { NodePki } from './pki/pki.ts';

/** One node of this process. Parts are there once their component is ready. */
export interface NodeParts {
  readonly name: string;
  readonly ip: string;
  /** Of this node alone; undefined with the simulated runtime and no data directory. */
  readonly dataDir: string | undefined;
  /** Of simulated pods; the nodes of one cluster share them. */
  readonly podAddresses?: PodAddresses;
  containerd?: Containerd;
  runtime?: ContainerRuntime;
  kubelet?: Kubelet;
  podCIDR?: string;
  /** Set when the stop has begun. */
  podsEnded?: Promise<void>;
}

export type NodeConfig = Pick<
  ClusterConfig,
  'disable' | 'clusterCIDR' | 'serviceCIDR' | 'clusterDomain' | 'kubernetesServiceIP' | 'clusterDNS'
>;

/**
 * Where the components of nodes are at home: a whole cluster in this process, or an agent of one elsewhere. What is not known
 * before the site has joined its cluster throws when it is read too early; `start` functions read it, factories do not.
 */
export interface NodeSite {
  readonly runtime: ClusterConfig['runtime'];
  readonly containerRuntimeEndpoint: string | undefined;
  readonly config: NodeConfig;
  readonly logger: Logger;
  readonly pki: NodePki;
  readonly nodes: NodeParts[];
  /** Names of the components after which the API answers, and controllers work. */
  readonly requires: { readonly api: string; readonly controllers: string };
  /** The API as `user`: the node, or a component that nodes may act as. */
  connect(user: UserInfo, userAgent: string): Connection;
}

/** Short and unique on this host, for names of bridges and nftables tables. */
export function instanceId(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
}
