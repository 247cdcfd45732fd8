import type { Pod } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { objectKey } from '../apimachinery/meta.ts';
import { runProgram } from '../apimachinery/run-program.ts';
import type { InformerFactory } from '../client/informer.ts';
import { Pods } from '../client/resource-types.gen.ts';

export interface HostPortsOptions {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  readonly table: string;
  readonly logger: Logger;
}

const SETTLE_MS = 15;

/** Ports of the node that pods ask for with `hostPort`, as nftables rules. */
export function createHostPorts(options: HostPortsOptions): { start(): Promise<void>; stop(): Promise<void> } {
  const pods = options.informers.informer(Pods, { fieldSelector: `spec.nodeName=${options.nodeName}` });
  const rulesOfPods = new Map<string, readonly string[]>();
  let installed: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let queue = Promise.resolve();
  let removeHandler = () => {};

  const update = (key: string, rules: readonly string[]) => {
    if ((rulesOfPods.get(key) ?? []).join() === rules.join()) return;
    if (rules.length) rulesOfPods.set(key, rules);
    else rulesOfPods.delete(key);
    timer ??= setTimeout(() => {
      timer = undefined;
      queue = queue
        .then(write)
        .catch((error) => options.logger.error({ err: error }, 'the host port rules were not written'));
    }, SETTLE_MS);
  };
  const write = async () => {
    const script = tableScript(options.table, [...rulesOfPods.values()].flat());
    if (script === installed) return;
    await runProgram('nft', ['-f', '-'], { input: script });
    installed = script;
  };

  return {
    async start() {
      removeHandler = pods.addHandler({
        onAdd: (pod) => update(objectKey(pod), hostPortRules(pod)),
        onUpdate: (pod) => update(objectKey(pod), hostPortRules(pod)),
        onDelete: (pod) => update(objectKey(pod), []),
      });
      options.informers.start();
      await pods.whenSynced();
    },
    async stop() {
      removeHandler();
      clearTimeout(timer);
      await queue;
      if (installed !== undefined)
        await runProgram('nft', ['-f', '-'], {
          input: `add table ip ${options.table}\ndelete table ip ${options.table}\n`,
        }).catch(() => {});
    },
  };
}

/** DNAT rules of a pod that runs with its own network. */
export function hostPortRules(pod: Pod): string[] {
  const podIP = pod.status?.podIP;
  if (!podIP || pod.spec.hostNetwork || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return [];
  const containers = [
    ...(pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
    ...pod.spec.containers,
  ];
  return containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, hostIP, containerPort, protocol = 'TCP' }) => {
      if (!hostPort || hostIP?.includes(':')) return [];
      const address = hostIP && hostIP !== '0.0.0.0' ? `ip daddr ${hostIP} ` : '';
      return [`${address}${protocol.toLowerCase()} dport ${hostPort} dnat to ${podIP}:${containerPort}`];
    }),
  );
}

function tableScript(table: string, rules: readonly string[]): string {
  const lines = rules.map((rule) => `    ${rule}`).join('\n');
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain host-ports {
${lines}
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat + 5; policy accept;
    fib daddr type local jump host-ports
  }
  chain nat-output {
    type nat hook output priority -95; policy accept;
    fib daddr type local jump host-ports
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    ip saddr 127.0.0.0/8 oif != lo ct status dnat masquerade
  }
}
`;
}
