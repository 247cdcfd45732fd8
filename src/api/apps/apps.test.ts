import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../apimachinery/field.ts';
import type { KindDefinition } from '../kind.ts';
import { daemonSet } from './daemon-set.ts';
import { deployment } from './deployment.ts';
import { replicaSet } from './replica-set.ts';
import { statefulSet } from './stateful-set.ts';

const texts = (errors: readonly FieldError[] | undefined) => (errors ?? []).map(String);
const labels = { app: 'web' };

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

function workload(kind: string, spec: object = {}): Loose {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'nginx:1.27' }] } },
      ...spec,
    },
  };
}

function defaulted(definition: KindDefinition, spec: object = {}): Loose {
  const object = workload(definition.kind, spec);
  definition.default?.(object);
  return object;
}

const row = (definition: KindDefinition, object: Loose, wide = false) =>
  Object.fromEntries(
    definition.columns
      .filter(({ priority }) => wide || priority === 0)
      .map((column) => [column.name, column.value(object, Date.parse('2026-01-01T00:05:30Z'))]),
  );

describe('Deployment', () => {
  it('is defaulted as upstream does', () => {
    const { spec } = defaulted(deployment);
    expect(spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    expect(spec.template.spec).toMatchObject({ restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' });
    expect(texts(deployment.validate?.(defaulted(deployment)))).toEqual([]);
  });

  it('does not default what the strategy forbids', () => {
    expect(defaulted(deployment, { strategy: { type: 'Recreate' } }).spec.strategy).toEqual({ type: 'Recreate' });
  });

  it('refuses what upstream refuses, in its words', () => {
    const invalid = (spec: object) => texts(deployment.validate?.(defaulted(deployment, spec)));
    expect(invalid({ selector: { matchLabels: { app: 'other' } } })).toEqual([
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ]);
    expect(invalid({ selector: {} })).toEqual([
      'spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ]);
    expect(invalid({ replicas: -1 })).toEqual(['spec.replicas: Invalid value: -1: must be greater than or equal to 0']);
    expect(invalid({ strategy: { type: 'Recreate', rollingUpdate: {} } })).toEqual([
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ]);
    expect(
      invalid({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
    ).toEqual(['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0']);
    expect(invalid({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '101%' } } })).toEqual([
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ]);
    expect(invalid({ progressDeadlineSeconds: 5, minReadySeconds: 5 })).toEqual([
      'spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds',
    ]);
    const never = defaulted(deployment);
    never.spec.template.spec.restartPolicy = 'Never';
    expect(texts(deployment.validate?.(never))).toEqual([
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ]);
  });

  it('keeps its selector', () => {
    const now = defaulted(deployment, { selector: { matchLabels: { app: 'new' } } });
    expect(texts(deployment.validateUpdate?.(now, defaulted(deployment)))).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"new"}}: field is immutable',
    ]);
  });

  it('checks its status', () => {
    const now = { ...defaulted(deployment), status: { replicas: 1, readyReplicas: 2, collisionCount: 0 } };
    const old = { ...defaulted(deployment), status: { collisionCount: 1 } };
    expect(texts(deployment.subresources.status?.validateUpdate?.(now, old))).toEqual([
      'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
      'status.collisionCount: Invalid value: 0: cannot be decremented',
    ]);
  });

  it('prints and scales', () => {
    const object = { ...defaulted(deployment, { replicas: 3 }), status: { readyReplicas: 2, updatedReplicas: 3 } };
    expect(row(deployment, object)).toEqual({ Name: 'web', Ready: '2/3', 'Up-to-date': 3, Available: 0, Age: '5m30s' });
    expect(row(deployment, object, true)).toMatchObject({
      Containers: 'web',
      Images: 'nginx:1.27',
      Selector: 'app=web',
    });
    const { scale } = deployment.subresources;
    scale?.setReplicas(object, 5);
    expect(scale?.getReplicas(object)).toBe(5);
    expect(scale?.selector(object)).toBe('app=web');
  });
});

describe('ReplicaSet', () => {
  it('is selectable by its replicas', () => {
    const object = { ...defaulted(replicaSet), status: { replicas: 2 } };
    expect(replicaSet.selectableFields['status.replicas']?.(object)).toBe('2');
    expect(row(replicaSet, object)).toEqual({ Name: 'web', Desired: 1, Current: 2, Ready: 0, Age: '5m30s' });
    expect(texts(replicaSet.validate?.(object))).toEqual([]);
  });
});

describe('DaemonSet', () => {
  it('counts the generations of its template', () => {
    const old = defaulted(daemonSet);
    daemonSet.prepareForCreate?.(old);
    expect(old.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '1' });
    const same = structuredClone(old);
    same.metadata.annotations = {};
    daemonSet.prepareForUpdate?.(same, old);
    expect(same.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '1' });
    const changed = structuredClone(old);
    changed.spec.template.spec.containers[0].image = 'nginx:1.28';
    daemonSet.prepareForUpdate?.(changed, old);
    expect(changed.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '2' });
  });

  it('rolls by surge or by unavailability, not both', () => {
    const update = (rollingUpdate: object) =>
      texts(daemonSet.validate?.(defaulted(daemonSet, { updateStrategy: { type: 'RollingUpdate', rollingUpdate } })));
    expect(update({ maxSurge: 1 })).toEqual([
      'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
    ]);
    expect(update({ maxUnavailable: 0 })).toEqual([
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
    ]);
  });
});

describe('StatefulSet', () => {
  it('is defaulted, its claims included', () => {
    const { spec } = defaulted(statefulSet, { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] });
    expect(spec).toMatchObject({
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          spec: { volumeMode: 'Filesystem' },
          status: { phase: 'Pending' },
        },
      ],
    });
  });

  it('changes only in what may change', () => {
    const old = defaulted(statefulSet, { serviceName: 'web' });
    const scaled = structuredClone(old);
    scaled.spec.replicas = 3;
    expect(texts(statefulSet.validateUpdate?.(scaled, old))).toEqual([]);
    const moved = structuredClone(old);
    moved.spec.serviceName = 'other';
    expect(texts(statefulSet.validateUpdate?.(moved, old))[0]).toMatch(
      /^spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template'/,
    );
  });
});
