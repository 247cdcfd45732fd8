import type { ControllerDefinition } from '../runtime/index.ts';
import { cronJobController } from './cronjob/cron-job-controller.ts';
import { daemonSetController } from './daemonset/daemon-set-controller.ts';
import { deploymentController } from './deployment/deployment-controller.ts';
import { jobController } from './job/job-controller.ts';
import { replicaSetController, replicationController } from './replica-set-controller.ts';
import { statefulSetController } from './statefulset/stateful-set-controller.ts';

/** The controllers that make pods. */
export function workloadControllers(): readonly ControllerDefinition[] {
  return [
    replicaSetController(),
    replicationController(),
    deploymentController(),
    daemonSetController(),
    statefulSetController(),
    jobController(),
    cronJobController(),
  ];
}
