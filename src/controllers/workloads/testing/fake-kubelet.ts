import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { Pods } from '../../../client/resource-types.gen.ts';
import { timestamp } from '../../conditions.ts';
import type { ControllerHarness } from '../../runtime/testing/controller-harness.ts';

/** Does to pods of the fake API, when told, what a scheduler and a kubelet would do. */
export interface FakeKubelet {
  pods(): readonly Pod[];
  /** Binds and starts pods; they are Ready. All active ones when none is named. */
  ready(names?: readonly string[]): void;
  /** Ends a pod's containers. */
  finish(name: string, exitCode: number, extra?: object): void;
  /** Lets deleted pods go. */
  terminate(): void;
}

export function createFakeKubelet(run: ControllerHarness, now: () => number = Date.now): FakeKubelet {
  const pods = () => run.api.list(Pods, 'default');
  const update = (pod: Pod, status: object) =>
    void run.api.put({ ...pod, spec: { ...pod.spec, nodeName: pod.spec.nodeName ?? 'n1' }, status } as Pod);
  return {
    pods,
    ready(names) {
      for (const pod of pods()) {
        if (names ? !names.includes(pod.metadata.name) : pod.metadata.deletionTimestamp || pod.status?.phase) continue;
        const since = timestamp(now());
        const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: since }];
        update(pod, { phase: 'Running', startTime: since, conditions });
      }
    },
    finish(name, exitCode, extra = {}) {
      const pod = pods().find((candidate) => candidate.metadata.name === name);
      if (!pod) throw new Error(`there is no pod ${name}`);
      const state = { terminated: { exitCode, finishedAt: timestamp(now()) } };
      const container = pod.spec.containers[0]!.name;
      update(pod, {
        ...pod.status,
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: timestamp(now()) }],
        containerStatuses: [{ name: container, state, ready: false, restartCount: 0, image: 'i', imageID: '' }],
        ...extra,
      });
    },
    terminate() {
      for (const pod of pods())
        if (pod.metadata.deletionTimestamp && !pod.metadata.finalizers?.length)
          run.api.remove(Pods, pod.metadata.name, 'default');
    },
  };
}
