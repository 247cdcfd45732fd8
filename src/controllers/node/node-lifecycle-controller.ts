import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { Leases, Nodes, Pods } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import { forEachParallel, ignoreNotFound } from '../parallel.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { type NodeHealth, observeHealth, readyCondition, unknownConditions } from './node-health.ts';
import { CONDITION_TAINTS, TAINT_NOT_READY, TAINT_UNREACHABLE, TAINT_UNSCHEDULABLE, withTaints } from './taints.ts';

export interface NodeLifecycleOptions {
  /** How often all nodes are looked at; 5 s. */
  readonly monitorPeriodMs?: number;
  /** Silence after which a node is Unknown; 50 s. */
  readonly gracePeriodMs?: number;
  /** The same for a node that has not reported yet; 60 s. */
  readonly startupGracePeriodMs?: number;
  /** Between two nodes of a zone whose pods are told to leave; 10 s. */
  readonly evictionIntervalMs?: number;
}

const MONITOR = ' monitor';
const LEASE_NAMESPACE = 'kube-node-lease';
const BY_NODE = 'pod-node';
const NO_SCHEDULE = new Set([
  ...Object.values(CONDITION_TAINTS).flatMap((taints) => Object.values(taints)),
  TAINT_UNSCHEDULABLE,
]);
const NO_EXECUTE = new Set([TAINT_NOT_READY, TAINT_UNREACHABLE]);
/** Upstream's thresholds for a zone in trouble. */
const UNHEALTHY_SHARE = 0.55;
const LARGE_ZONE = 50;
const SLOW_FACTOR = 10;

/**
 * Notices nodes that fell silent, taints nodes by their conditions, and marks the pods of lost nodes not ready. When all
 * nodes seem lost the fault is more likely here: nobody is told to leave.
 */
export function nodeLifecycleController(options: NodeLifecycleOptions = {}): ControllerDefinition {
  const monitorPeriodMs = options.monitorPeriodMs ?? 5_000;
  const gracePeriodMs = options.gracePeriodMs ?? 50_000;
  const startupGracePeriodMs = options.startupGracePeriodMs ?? 60_000;
  const evictionIntervalMs = options.evictionIntervalMs ?? 10_000;

  return defineController({
    name: 'node-lifecycle-controller',
    setup(context) {
      const nodes = context.informer(Nodes);
      const leases = context.informer(Leases, { namespace: LEASE_NAMESPACE });
      const pods = context.informer(Pods);
      pods.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
      const health = new Map<string, NodeHealth>();
      const known = new Map<string, string>();
      const lastEviction = new Map<string, number>();

      async function monitor(): Promise<void> {
        const names = new Set<string>();
        await forEachParallel(nodes.list(), 8, async (node) => {
          const { name } = node.metadata;
          names.add(name);
          const seen = observeHealth(health.get(name), node, leases.get(`${LEASE_NAMESPACE}/${name}`), context.now());
          health.set(name, seen);
          const ready = readyCondition(node);
          const patience = ready ? gracePeriodMs : startupGracePeriodMs;
          if (context.now() - seen.probedAt <= patience || ready?.status === 'Unknown') return;
          const conditions = unknownConditions(node, context.now());
          await context.client
            .for(Nodes)
            .updateStatus({ ...node, status: { ...node.status, conditions } })
            .catch(ignoreNotFound);
          report(context, node);
        });
        for (const name of health.keys()) if (!names.has(name)) health.delete(name);
        for (const name of names) context.enqueue(name);
      }

      function noteNode(name: string, node: Node | undefined): void {
        const uid = node?.metadata.uid ?? '';
        const before = known.get(name);
        if (before === uid || (before === undefined && !node)) return;
        if (node) {
          known.set(name, uid);
          context.events.event(
            node,
            'Normal',
            'RegisteredNode',
            `Node ${name} event: Registered Node ${name} in Controller`,
          );
          return;
        }
        known.delete(name);
        const gone = { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: before } };
        context.events.event(
          gone,
          'Normal',
          'RemovingNode',
          `Node ${name} event: Removing Node ${name} from Controller`,
        );
      }

      async function reconcileNode(name: string): Promise<void> {
        const node = nodes.get(name);
        noteNode(name, node);
        if (!node) return;
        const ready = readyCondition(node)?.status;
        const time = timestamp(context.now());
        let taints = withTaints(node.spec?.taints, 'NoSchedule', NO_SCHEDULE, scheduleTaints(node), time);
        taints = withTaints(taints, 'NoExecute', NO_EXECUTE, executeTaints(node), time);
        if (taints !== node.spec?.taints && (taints.length > 0 || node.spec?.taints?.length))
          await context.client.for(Nodes).update({ ...node, spec: { ...node.spec, taints } });
        if (ready === 'False' || ready === 'Unknown') await markPodsNotReady(name, context);
      }

      function executeTaints(node: Node): ReadonlySet<string> {
        const ready = readyCondition(node)?.status;
        const wanted = ready === 'False' ? TAINT_NOT_READY : ready === 'Unknown' ? TAINT_UNREACHABLE : undefined;
        if (!wanted) return new Set();
        const all = nodes.list();
        if (all.every((other) => !isReady(other))) return new Set();
        const present = node.spec?.taints?.some(({ key, effect }) => effect === 'NoExecute' && NO_EXECUTE.has(key));
        if (present) return new Set([wanted]);
        const zone = zoneOf(node);
        const interval = evictionInterval(all.filter((other) => zoneOf(other) === zone));
        const wait = (lastEviction.get(zone) ?? Number.NEGATIVE_INFINITY) + interval - context.now();
        if (wait > 0) {
          if (Number.isFinite(wait)) context.enqueue(node.metadata.name, wait);
          return new Set();
        }
        lastEviction.set(zone, context.now());
        return new Set([wanted]);
      }

      function evictionInterval(zone: readonly Node[]): number {
        const unhealthy = zone.filter((node) => !isReady(node)).length;
        if (unhealthy <= 2 || unhealthy === zone.length || unhealthy / zone.length < UNHEALTHY_SHARE)
          return evictionIntervalMs;
        return zone.length > LARGE_ZONE ? evictionIntervalMs * SLOW_FACTOR : Number.POSITIVE_INFINITY;
      }

      return {
        watches: [watch(Nodes)],
        initialKeys: [MONITOR],
        async reconcile({ key }) {
          if (key !== MONITOR) return reconcileNode(key);
          await monitor();
          return { requeueAfterMs: monitorPeriodMs };
        },
      };
    },
  });
}

const isReady = (node: Node) => readyCondition(node)?.status === 'True';
const zoneOf = ({ metadata }: Node) =>
  `${metadata.labels?.['topology.kubernetes.io/region'] ?? ''}/${metadata.labels?.['topology.kubernetes.io/zone'] ?? ''}`;

function scheduleTaints(node: Node): ReadonlySet<string> {
  const taints = new Set<string>();
  for (const { type, status } of node.status?.conditions ?? []) {
    const taint = CONDITION_TAINTS[type]?.[status];
    if (taint) taints.add(taint);
  }
  if (node.spec?.unschedulable) taints.add(TAINT_UNSCHEDULABLE);
  return taints;
}

function report({ events }: ControllerContext, node: Node): void {
  const { name } = node.metadata;
  events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
}

/** Endpoints must not name pods of a node that nobody can reach. */
async function markPodsNotReady(nodeName: string, { informer, client, events, now }: ControllerContext): Promise<void> {
  const ready = informer(Pods)
    .byIndex(BY_NODE, nodeName)
    .filter((pod) => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'));
  await forEachParallel(ready, 8, async (pod: Pod) => {
    events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
    const conditions = pod.status?.conditions?.map((condition) =>
      condition.type === 'Ready' ? { ...condition, status: 'False', lastTransitionTime: timestamp(now()) } : condition,
    );
    await client
      .for(Pods)
      .updateStatus({ ...pod, status: { ...pod.status, conditions } })
      .catch(ignoreNotFound);
  });
}
