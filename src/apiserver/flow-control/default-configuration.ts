import { mandatoryFlowSchemas, mandatoryPriorityLevels } from '../../api/flowcontrol/mandatory-objects.ts';
import type { FlowSchemaSpec, PriorityLevelConfigurationSpec, Subject } from '../../api/types/flowcontrol.v1.gen.ts';

export interface DefaultConfiguration {
  readonly mandatory: boolean;
  readonly kind: 'FlowSchema' | 'PriorityLevelConfiguration';
  readonly name: string;
  readonly spec: FlowSchemaSpec | PriorityLevelConfigurationSpec;
}

type Queuing = readonly [queues: number, handSize: number];

const limited = (
  shares: number,
  lendablePercent: number,
  [queues, handSize]: Queuing,
): PriorityLevelConfigurationSpec => ({
  type: 'Limited',
  limited: {
    nominalConcurrencyShares: shares,
    lendablePercent,
    limitResponse: { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } },
  },
});

const groups = (...names: string[]): Subject[] => names.map((name) => ({ kind: 'Group', group: { name } }));
const users = (...names: string[]): Subject[] => names.map((name) => ({ kind: 'User', user: { name } }));
const accounts = (...names: string[]): Subject[] =>
  names.map((name) => ({ kind: 'ServiceAccount', serviceAccount: { name, namespace: 'kube-system' } }));

const resources = (verbs: string[], apiGroups: string[], names: string[], clusterScope = false) => ({
  verbs,
  apiGroups,
  resources: names,
  namespaces: ['*'],
  ...(clusterScope ? { clusterScope } : {}),
});

const everything = {
  resourceRules: [resources(['*'], ['*'], ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

const schema = (
  name: string,
  level: string,
  matchingPrecedence: number,
  by: 'ByUser' | 'ByNamespace' | undefined,
  subjects: Subject[],
  rules: object = everything,
): DefaultConfiguration => ({
  mandatory: false,
  kind: 'FlowSchema',
  name,
  spec: {
    matchingPrecedence,
    priorityLevelConfiguration: { name: level },
    ...(by ? { distinguisherMethod: { type: by } } : {}),
    rules: [{ subjects, ...rules }],
  },
});

const level = (name: string, spec: PriorityLevelConfigurationSpec, mandatory = false): DefaultConfiguration => ({
  mandatory,
  kind: 'PriorityLevelConfiguration',
  name,
  spec,
});

const everybody = groups('system:unauthenticated', 'system:authenticated');
const leaderElection = {
  resourceRules: [resources(['get', 'create', 'update'], ['coordination.k8s.io'], ['leases'])],
};

/** What Kubernetes 1.36 starts with. Levels come before the schemas that name them. */
export function defaultConfiguration(): readonly DefaultConfiguration[] {
  return [
    ...[...mandatoryPriorityLevels].map(([name, spec]) => level(name, spec, true)),
    level('system', limited(30, 33, [64, 6])),
    level('node-high', limited(40, 25, [64, 6])),
    level('leader-election', limited(10, 0, [16, 4])),
    level('workload-high', limited(40, 50, [128, 6])),
    level('workload-low', limited(100, 90, [128, 6])),
    level('global-default', limited(20, 50, [128, 6])),
    ...[...mandatoryFlowSchemas].map(
      ([name, spec]): DefaultConfiguration => ({ mandatory: true, kind: 'FlowSchema', name, spec }),
    ),
    schema('probes', 'exempt', 2, undefined, everybody, {
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
    }),
    schema(
      'system-leader-election',
      'leader-election',
      100,
      'ByUser',
      [...users('system:kube-controller-manager', 'system:kube-scheduler'), ...accounts('*')],
      leaderElection,
    ),
    schema(
      'endpoint-controller',
      'workload-high',
      150,
      'ByUser',
      [
        ...users('system:kube-controller-manager'),
        ...accounts('endpoint-controller', 'endpointslicemirroring-controller'),
      ],
      { resourceRules: [resources(['get', 'create', 'update'], [''], ['endpoints'])] },
    ),
    schema('workload-leader-election', 'leader-election', 200, 'ByUser', accounts('*'), leaderElection),
    schema('system-node-high', 'node-high', 400, 'ByUser', groups('system:nodes'), {
      resourceRules: [
        resources(['*'], [''], ['nodes', 'nodes/status'], true),
        resources(['*'], ['coordination.k8s.io'], ['leases']),
      ],
    }),
    schema('system-nodes', 'system', 500, 'ByUser', groups('system:nodes')),
    schema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', users('system:kube-controller-manager')),
    schema('kube-scheduler', 'workload-high', 800, 'ByNamespace', users('system:kube-scheduler')),
    schema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', accounts('*')),
    schema('service-accounts', 'workload-low', 9000, 'ByUser', groups('system:serviceaccounts')),
    schema('global-default', 'global-default', 9900, 'ByUser', everybody),
  ];
}
