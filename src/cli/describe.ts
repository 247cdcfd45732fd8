import type { RunState } from '../cluster/run-state.ts';

/** What a cluster, a control plane or a node offers and where, for a person. */
export function describeCluster(state: RunState): string {
  const addresses = Object.entries(state.addresses);
  const width = Math.max(10, ...addresses.map(([name]) => name.length));
  const lines = addresses.map(([name, address]) => `  ${name.padEnd(width)}  ${address}`);
  const ready = state.timeline.phases.at(-1);
  const time = ready?.ms === undefined ? '' : ` after ${(ready.ms / 1000).toFixed(2)} s`;
  return [
    `${headline(state)} ready${time} (${qualities(state)}).`,
    ...lines,
    ...(state.kubeconfig ? ['', `  export KUBECONFIG=${state.kubeconfig}`, '  kubectl get nodes'] : []),
    ...(state.command === 'server' ? joinHint(state) : []),
  ].join('\n');
}

function headline({ command, addresses }: RunState): string {
  if (command === 'agent') return `Node ${addresses.node} is`;
  return command === 'server' ? 'The control plane is' : 'The cluster is';
}

function qualities({ command, runtime, datastore }: RunState): string {
  if (command === 'agent') return `${runtime} runtime`;
  return command === 'server' ? `${datastore} datastore` : `${runtime} runtime, ${datastore} datastore`;
}

function joinHint({ addresses }: RunState): string[] {
  const server = addresses['apiserver for nodes'];
  if (!server) return [];
  return [
    '',
    '  On each node, with the file join-token of the data directory here:',
    `  k8ts agent --server ${server} --token-file join-token`,
  ];
}
