import type { NodeInfo } from './node-info.ts';

/**
 * The cluster as one scheduling cycle sees it. It is the cache's live state: a cycle is synchronous, so nothing moves
 * under it and nothing is copied.
 */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** Nodes with at least one pod that has affinity terms. */
  nodesWithAffinityPods(): Iterable<NodeInfo>;
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
}
