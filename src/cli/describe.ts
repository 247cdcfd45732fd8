import type { RunState } from '../cluster/run-state.ts';

/** What the cluster offers and where, for a person. */
export function describeCluster(state: RunState): string {
  const addresses = Object.entries(state.addresses);
  const width = Math.max(10, ...addresses.map(([name]) => name.length));
  const lines = addresses.map(([name, address]) => `  ${name.padEnd(width)}  ${address}`);
  const ready = state.timeline.phases.at(-1);
  return [
    `The cluster is ready${ready?.ms === undefined ? '' : ` after ${(ready.ms / 1000).toFixed(2)} s`} (${state.runtime} runtime, ${state.datastore} datastore).`,
    ...lines,
    ...(state.kubeconfig ? ['', `  export KUBECONFIG=${state.kubeconfig}`, '  kubectl get nodes'] : []),
  ].join('\n');
}
