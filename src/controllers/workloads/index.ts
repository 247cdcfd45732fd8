import type { ControllerDefinition } from '../runtime/index.ts';
import { deploymentController } from './deployment/deployment-controller.ts';
import { replicaSetController, replicationController } from './replica-set-controller.ts';

/** The controllers that make pods. */
export function workloadControllers(): readonly ControllerDefinition[] {
  return [replicaSetController(), replicationController(), deploymentController()];
}
