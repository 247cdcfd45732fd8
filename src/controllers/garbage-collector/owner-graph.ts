import { type KubeObject, type OwnerReference, parseApiVersion } from '../../apimachinery/meta.ts';

export const ORPHAN_FINALIZER = 'orphan';
export const FOREGROUND_FINALIZER = 'foregroundDeletion';

/** Which object a node stands for. */
export interface ObjectIdentity {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Of a virtual node: its dependent's namespace, for the scope of its kind is not known yet. */
  readonly namespace: string | undefined;
  readonly uid: string;
}

export interface GraphNode {
  readonly identity: ObjectIdentity;
  readonly owners: readonly OwnerReference[];
  readonly dependents: ReadonlySet<GraphNode>;
  readonly beingDeleted: boolean;
  /** It is deleted in the foreground: it waits for dependents that block it. */
  readonly deletingDependents: boolean;
  /** Known from an owner reference alone, never seen. */
  readonly virtual: boolean;
}

/** What a change calls for, as uids. */
export interface GraphWork {
  readonly attemptToDelete: ReadonlySet<string>;
  readonly orphan: ReadonlySet<string>;
  /** Dependents whose reference to an owner names the wrong coordinates. */
  readonly invalid: readonly { readonly dependent: GraphNode; readonly reference: OwnerReference }[];
}

/** Who owns whom among all objects of the cluster: built from informers, by uid. */
export interface OwnerGraph {
  get(uid: string): GraphNode | undefined;
  readonly size: number;
  /** An object is there, new or changed. */
  observe(object: KubeObject): GraphWork;
  /** An object is gone; also when a look at the server shows that a virtual one never was. */
  remove(uid: string): GraphWork;
  /** Forgets nodes without any consequence: their kind is no longer served. */
  forget(matches: (identity: ObjectIdentity) => boolean): void;
}

interface MutableNode extends GraphNode {
  identity: ObjectIdentity;
  owners: readonly OwnerReference[];
  readonly dependents: Set<MutableNode>;
  beingDeleted: boolean;
  deletingDependents: boolean;
  virtual: boolean;
}

interface MutableWork extends GraphWork {
  readonly attemptToDelete: Set<string>;
  readonly orphan: Set<string>;
  readonly invalid: { dependent: GraphNode; reference: OwnerReference }[];
}

export function createOwnerGraph(): OwnerGraph {
  const nodes = new Map<string, MutableNode>();
  const newWork = (): MutableWork => ({ attemptToDelete: new Set(), orphan: new Set(), invalid: [] });

  function link(node: MutableNode, references: readonly OwnerReference[], work: MutableWork): void {
    for (const reference of references) {
      let owner = nodes.get(reference.uid);
      if (!owner) {
        const { apiVersion, kind, name, uid } = reference;
        const identity = { apiVersion, kind, name, uid, namespace: node.identity.namespace };
        owner = newNode(identity, true);
        nodes.set(uid, owner);
        // The server knows whether there is such an object.
        work.attemptToDelete.add(uid);
      } else if (!owner.virtual && !agrees(reference, node, owner)) {
        work.attemptToDelete.add(node.identity.uid);
        work.invalid.push({ dependent: node, reference });
      }
      owner.dependents.add(node);
    }
  }

  function unlink(node: MutableNode, references: readonly OwnerReference[]): void {
    for (const { uid } of references) {
      const owner = nodes.get(uid);
      if (!owner) continue;
      owner.dependents.delete(node);
      if (owner.virtual && owner.dependents.size === 0) nodes.delete(uid);
    }
  }

  /** Owners that wait for their dependents have one less that blocks. */
  function wake(references: readonly OwnerReference[], work: MutableWork): void {
    for (const { uid } of references) if (nodes.get(uid)?.deletingDependents) work.attemptToDelete.add(uid);
  }

  function transitions(node: MutableNode, object: KubeObject, work: MutableWork): void {
    const { deletionTimestamp, finalizers } = object.metadata;
    if (!deletionTimestamp) return;
    node.beingDeleted = true;
    if (finalizers?.includes(ORPHAN_FINALIZER)) work.orphan.add(node.identity.uid);
    if (finalizers?.includes(FOREGROUND_FINALIZER) && !node.deletingDependents) {
      node.deletingDependents = true;
      for (const dependent of node.dependents) work.attemptToDelete.add(dependent.identity.uid);
      work.attemptToDelete.add(node.identity.uid);
    }
  }

  return {
    get: (uid) => nodes.get(uid),
    get size() {
      return nodes.size;
    },

    observe(object) {
      const work = newWork();
      const { uid = '', name, namespace, ownerReferences = [] } = object.metadata;
      const identity = { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid };
      let node = nodes.get(uid);
      if (!node) {
        node = newNode(identity, false);
        nodes.set(uid, node);
      } else if (node.virtual) {
        node.virtual = false;
        node.identity = identity;
        for (const dependent of node.dependents)
          for (const reference of dependent.owners)
            if (reference.uid === uid && !agrees(reference, dependent, node)) {
              work.attemptToDelete.add(dependent.identity.uid);
              work.invalid.push({ dependent, reference });
            }
      }
      const old = node.owners;
      if (!sameReferences(old, ownerReferences)) {
        const current = new Map(ownerReferences.map((reference) => [reference.uid, reference]));
        const before = new Map(old.map((reference) => [reference.uid, reference]));
        const removed = old.filter((reference) => !current.has(reference.uid));
        const unblocked = old.filter(
          (reference) => reference.blockOwnerDeletion && !current.get(reference.uid)?.blockOwnerDeletion,
        );
        node.owners = ownerReferences;
        unlink(node, removed);
        link(
          node,
          ownerReferences.filter((reference) => !before.has(reference.uid)),
          work,
        );
        wake([...removed, ...unblocked], work);
      }
      transitions(node, object, work);
      return work;
    },

    remove(uid) {
      const work = newWork();
      const node = nodes.get(uid);
      if (!node) return work;
      nodes.delete(uid);
      unlink(node, node.owners);
      wake(node.owners, work);
      for (const dependent of node.dependents) work.attemptToDelete.add(dependent.identity.uid);
      return work;
    },

    forget(matches) {
      for (const [uid, node] of nodes) {
        if (!matches(node.identity)) continue;
        nodes.delete(uid);
        unlink(node, node.owners);
      }
    },
  };
}

function newNode(identity: ObjectIdentity, virtual: boolean): MutableNode {
  return { identity, owners: [], dependents: new Set(), beingDeleted: false, deletingDependents: false, virtual };
}

function agrees(reference: OwnerReference, dependent: GraphNode, owner: GraphNode): boolean {
  const { identity } = owner;
  return (
    reference.kind === identity.kind &&
    reference.name === identity.name &&
    parseApiVersion(reference.apiVersion).group === parseApiVersion(identity.apiVersion).group &&
    (identity.namespace === undefined || identity.namespace === dependent.identity.namespace)
  );
}

function sameReferences(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every((reference, index) => {
        const other = b[index];
        return (
          other !== undefined &&
          reference.uid === other.uid &&
          reference.name === other.name &&
          reference.kind === other.kind &&
          (reference.blockOwnerDeletion ?? false) === (other.blockOwnerDeletion ?? false)
        );
      }))
  );
}
