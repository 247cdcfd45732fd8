export {
  type ControllerContext,
  type ControllerDefinition,
  type ControllerInstance,
  defineController,
  type ObjectChange,
  type ReconcileRequest,
  type ReconcileResult,
  TerminalError,
  type Watch,
  type WatchOptions,
} from './controller.ts';
export {
  type ControllerManager,
  type ControllerManagerOptions,
  createControllerManager,
} from './controller-manager.ts';
export type { ControllerMetrics } from './controller-runner.ts';
export { createLeaderElection, type LeaderElection, type LeaderElectionOptions } from './leader-election.ts';
export { createOwnWrites, noteGone, type OwnWrites } from './own-writes.ts';
export { byControllerUid, controllerReference, watch } from './watch.ts';
export { createWorkQueue, type WorkQueue } from './work-queue.ts';
