import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { runProgram } from '../apimachinery/run-program.ts';

export interface PodNetworkOptions {
  /** Of the bridge and the nftables table: unique per node on a host, at most 15 characters. */
  readonly bridge: string;
  readonly table: string;
  /** This node's pods, e.g. 10.244.0.0/24. */
  readonly podCIDR: string;
  /** All pods of the cluster: traffic among them keeps its source address. */
  readonly clusterCIDR: string;
  /** Of the pods' interfaces, in bytes: what the way to other nodes leaves of the uplink's. */
  readonly mtu: number;
  /** Where the runtime looks for CNI configuration. */
  readonly cniConfDir: string;
  /** Where host-local remembers addresses. */
  readonly stateDir: string;
  readonly logger: Logger;
}

/** The built-in pod network of one node: a Linux bridge with host-local addresses, and masquerading to the outside. */
export function createPodNetwork(options: PodNetworkOptions): { start(): Promise<void>; stop(): Promise<void> } {
  return {
    async start() {
      await enableForwarding(options.logger);
      await mkdir(options.cniConfDir, { recursive: true });
      await mkdir(options.stateDir, { recursive: true });
      for (const file of await readdir(options.cniConfDir))
        if (file !== CONF_FILE && file.endsWith('.conflist'))
          options.logger.warn({ file }, 'another CNI configuration is in the directory');
      try {
        await runProgram('nft', ['-f', '-'], { input: masqueradeScript(options) });
      } catch (cause) {
        throw new CodedError(
          'NFTABLES_REFUSED',
          `the kernel refused the pod network's rules: ${(cause as Error).message}`,
          'Run as root with CAP_NET_ADMIN on a kernel with nftables.',
          { cause },
        );
      }
      // Last: the runtime takes the network for ready when it sees the file.
      await writeFile(join(options.cniConfDir, CONF_FILE), `${JSON.stringify(cniConfig(options), null, 2)}\n`);
    },
    async stop() {
      await rm(join(options.cniConfDir, CONF_FILE), { force: true });
      await runProgram('nft', ['-f', '-'], {
        input: `add table ip ${options.table}\ndelete table ip ${options.table}\n`,
      }).catch((error) => options.logger.warn({ err: error }, 'the nftables table was not removed'));
      await runProgram('ip', ['link', 'delete', options.bridge]).catch(() => {}); // never made when no pod ran
    },
  };
}

const CONF_FILE = '10-k8ts.conflist';

/** CNI 1.0 configuration list. Host ports are the host-port rules', for the portmap plugin needs iptables. */
function cniConfig({ bridge, podCIDR, stateDir, mtu }: PodNetworkOptions): object {
  return {
    cniVersion: '0.4.0',
    name: 'k8ts',
    plugins: [
      {
        type: 'bridge',
        bridge,
        isDefaultGateway: true,
        hairpinMode: true,
        forceAddress: true,
        mtu,
        ipam: { type: 'host-local', ranges: [[{ subnet: podCIDR }]], dataDir: stateDir },
      },
    ],
  };
}

function masqueradeScript({ table, podCIDR, clusterCIDR }: PodNetworkOptions): string {
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat + 5; policy accept;
    ip saddr ${podCIDR} ip daddr != ${clusterCIDR} ip daddr != 224.0.0.0/4 masquerade fully-random
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr ${clusterCIDR} accept
    ip daddr ${clusterCIDR} accept
  }
}
`;
}

/** Routing between pods, and rules that see traffic between pods of one bridge (or answers of Services would pass them by). */
async function enableForwarding(logger: Logger): Promise<void> {
  try {
    await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  } catch (cause) {
    throw new CodedError(
      'FORWARDING_REFUSED',
      "IP forwarding can't be switched on",
      'Run as root, or set net.ipv4.ip_forward=1 yourself.',
      { cause },
    );
  }
  const bridged = '/proc/sys/net/bridge/bridge-nf-call-iptables';
  try {
    await writeFile(bridged, '1');
  } catch {
    await runProgram('modprobe', ['br_netfilter']).catch(() => {});
    await writeFile(bridged, '1').catch((error) =>
      logger.warn(
        { err: error },
        'br_netfilter is missing: pods of one node may not reach each other through Services',
      ),
    );
  }
}
