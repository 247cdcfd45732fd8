import type { PodSandbox, PodSandboxes } from '../container-runtime.ts';
import { isRuntimeError } from '../runtime-error.ts';
import type { PodAddresses } from './pod-addresses.ts';
import { type ContainerRecord, newId, type Records, type SandboxRecord } from './records.ts';

export interface SimulatedSandboxesOptions {
  readonly records: Records;
  readonly addresses: PodAddresses;
  readonly now: () => number;
  kill(container: ContainerRecord): void;
}

export function createSimulatedSandboxes({ records, addresses, now, kill }: SimulatedSandboxesOptions): PodSandboxes {
  function find(id: string): SandboxRecord | undefined {
    try {
      return records.sandbox(id);
    } catch (error) {
      if (isRuntimeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  function stop(sandbox: SandboxRecord): void {
    if (sandbox.state !== 'ready') return;
    for (const container of records.containersOf(sandbox)) kill(container);
    sandbox.state = 'notReady';
    for (const address of sandbox.ips) addresses.release(address);
    sandbox.ips = [];
  }

  return {
    async run(config, runtimeHandler) {
      const onHostNetwork = config.linux?.securityContext.namespaceOptions.network === 'NODE';
      const ips = onHostNetwork ? [] : [addresses.allocate()];
      const { metadata, labels, annotations } = config;
      const createdAt = records.createdAt(metadata.uid, now());
      const sandbox: SandboxRecord = {
        id: newId(),
        metadata,
        createdAt,
        labels,
        annotations,
        runtimeHandler,
        state: 'ready',
        ips,
      };
      records.addSandbox(sandbox);
      return sandbox.id;
    },
    async stop(id) {
      const sandbox = find(id);
      if (sandbox) stop(sandbox);
    },
    async remove(id) {
      const sandbox = find(id);
      if (!sandbox) return;
      stop(sandbox);
      for (const container of records.containersOf(sandbox)) records.removeContainer(container);
      records.removeSandbox(sandbox);
    },
    async list(filter) {
      return records.sandboxes(filter).map(view);
    },
    async status(id) {
      const sandbox = records.sandbox(id);
      return { ...view(sandbox), ips: sandbox.ips };
    },
  };
}

function view({ id, metadata, state, createdAt, labels, annotations, runtimeHandler }: SandboxRecord): PodSandbox {
  return { id, metadata, state, createdAt, labels, annotations, runtimeHandler };
}
