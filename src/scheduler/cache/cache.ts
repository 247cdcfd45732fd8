import type { Namespace, Node, Pod } from '../../api/types/core.v1.gen.ts';
import { NodeInfo, type PodInfo, podInfo } from './node-info.ts';
import { ResourceIndex } from './resource-index.ts';
import type { Snapshot } from './snapshot.ts';

/** Nodes and the pods on them, kept by increments. A pod is assumed on its node from decision until its binding is seen. */
export class SchedulerCache implements Snapshot {
  readonly resources = new ResourceIndex();
  readonly #nodes = new Map<string, NodeInfo>();
  #list: NodeInfo[] | undefined;
  readonly #affinityNodes = new Set<NodeInfo>();
  /** Where each known pod is, by key. */
  readonly #placed = new Map<string, string>();
  readonly #assumed = new Set<string>();
  /** Pods bound to a node that is not known (yet). */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();
  readonly #namespaces: (name: string) => Namespace | undefined;

  constructor(namespaces: (name: string) => Namespace | undefined) {
    this.#namespaces = namespaces;
  }

  get nodes(): readonly NodeInfo[] {
    this.#list ??= [...this.#nodes.values()];
    return this.#list;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  nodesWithAffinityPods(): Iterable<NodeInfo> {
    return this.#affinityNodes;
  }

  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined {
    return this.#namespaces(namespace)?.metadata.labels;
  }

  setNode(node: Node): void {
    const known = this.#nodes.get(node.metadata.name);
    if (known) {
      known.setNode(node);
      return;
    }
    const info = new NodeInfo(node, this.resources);
    this.#nodes.set(info.name, info);
    this.#list = undefined;
    for (const pod of this.#homeless.get(info.name)?.values() ?? []) this.#put(info, pod);
    this.#homeless.delete(info.name);
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    this.#nodes.delete(name);
    this.#affinityNodes.delete(info);
    this.#list = undefined;
    if (info.pods.size) this.#homeless.set(name, new Map(info.pods));
  }

  /** A pod with a node, as the API server has it: confirms an assumption, or moves the pod. */
  setPod(pod: Pod): void {
    const info = podInfo(pod, this.resources);
    this.#assumed.delete(info.key);
    this.#take(info.key);
    this.#place(info, pod.spec.nodeName!);
  }

  removePod(key: string): void {
    this.#assumed.delete(key);
    this.#take(key);
  }

  assume(info: PodInfo, nodeName: string): void {
    this.#assumed.add(info.key);
    this.#place(info, nodeName);
  }

  /** Takes an assumption back; a pod that was confirmed meanwhile stays. */
  forget(key: string): void {
    if (this.#assumed.delete(key)) this.#take(key);
  }

  isAssumed(key: string): boolean {
    return this.#assumed.has(key);
  }

  #place(info: PodInfo, nodeName: string): void {
    this.#placed.set(info.key, nodeName);
    const node = this.#nodes.get(nodeName);
    if (node) this.#put(node, info);
    else {
      if (!this.#homeless.has(nodeName)) this.#homeless.set(nodeName, new Map());
      this.#homeless.get(nodeName)!.set(info.key, info);
    }
  }

  #put(node: NodeInfo, info: PodInfo): void {
    node.add(info);
    if (node.podsWithAffinity.size) this.#affinityNodes.add(node);
  }

  #take(key: string): void {
    const nodeName = this.#placed.get(key);
    if (nodeName === undefined) return;
    this.#placed.delete(key);
    const node = this.#nodes.get(nodeName);
    if (node) {
      node.remove(key);
      if (!node.podsWithAffinity.size) this.#affinityNodes.delete(node);
      return;
    }
    const waiting = this.#homeless.get(nodeName);
    waiting?.delete(key);
    if (waiting?.size === 0) this.#homeless.delete(nodeName);
  }
}
