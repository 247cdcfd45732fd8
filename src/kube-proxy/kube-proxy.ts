import { writeFile } from 'node:fs/promises';
import type { Service } from '../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../api/types/discovery.v1.gen.ts';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { runProgram } from '../apimachinery/run-program.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { EndpointSlices, Services } from '../client/resource-types.gen.ts';
import { deltaScript, frameScript } from './nft-script.ts';
import { buildRuleset, type Ruleset } from './ruleset.ts';
import { type ServicePort, servicePorts } from './service-ports.ts';

export interface KubeProxyOptions {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  /** Of the nftables table; several clusters on one host have one each. */
  readonly table: string;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly logger: Logger;
}

/** Changes that come together are written together. */
const SETTLE_MS = 15;
const RETRY_MS = 1_000;
const SERVICE_NAME = 'kubernetes.io/service-name';

/** Turns Services and EndpointSlices into nftables rules. `start` resolves when the rules of the first full list are in the kernel. */
export function createKubeProxy(options: KubeProxyOptions): { start(): Promise<void>; stop(): Promise<void> } {
  return new KubeProxy(options);
}

class KubeProxy {
  readonly #options: KubeProxyOptions;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #removeHandlers: (() => void)[] = [];
  /** Ports of each service as last computed; recomputed for services that changed. */
  readonly #ports = new Map<string, readonly ServicePort[]>();
  readonly #dirty = new Set<string>();
  #installed: Ruleset | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: KubeProxyOptions) {
    this.#options = options;
    this.#services = options.informers.informer(Services);
    this.#slices = options.informers.informer(EndpointSlices);
    this.#slices.addIndex('service', (slice) => {
      const name = slice.metadata.labels?.[SERVICE_NAME];
      return name ? [`${slice.metadata.namespace}/${name}`] : [];
    });
  }

  async start(): Promise<void> {
    const { informers } = this.#options;
    const service = (changed: Service) => this.#mark(`${changed.metadata.namespace}/${changed.metadata.name}`);
    const slice = (changed: EndpointSlice) => {
      const name = changed.metadata.labels?.[SERVICE_NAME];
      if (name) this.#mark(`${changed.metadata.namespace}/${name}`);
    };
    informers.start();
    await informers.whenSynced();
    this.#removeHandlers.push(
      this.#services.addHandler({ onAdd: service, onUpdate: service, onDelete: service }),
      this.#slices.addHandler({ onAdd: slice, onUpdate: slice, onDelete: slice }),
    );
    await allowLoopbackNodePorts();
    try {
      await this.#sync();
    } catch (cause) {
      throw new CodedError(
        'NFTABLES_REFUSED',
        `the kernel refused the Service rules: ${(cause as Error).message}`,
        'Run as root with CAP_NET_ADMIN on a kernel with nftables, or leave it out with --disable kube-proxy.',
        { cause },
      );
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const remove of this.#removeHandlers) remove();
    await this.#syncing?.catch(() => {});
    const { table } = this.#options;
    await runProgram('nft', ['-f', '-'], { input: `add table ip ${table}\ndelete table ip ${table}\n` }).catch(
      (error) => this.#options.logger.warn({ err: error }, 'the nftables table was not removed'),
    );
  }

  #mark(key: string): void {
    this.#dirty.add(key);
    this.#schedule(SETTLE_MS);
  }

  #schedule(delay: number): void {
    if (this.#stopped || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sync().catch((error) => {
        this.#options.logger.error({ err: error }, 'the Service rules were not written; trying again');
        this.#installed = undefined; // what the kernel has is not known any more: write all of it
        this.#schedule(RETRY_MS);
      });
    }, delay);
  }

  /** One at a time; a change during a sync is written by the next. */
  async #sync(): Promise<void> {
    await this.#syncing?.catch(() => {});
    this.#syncing = this.#write();
    await this.#syncing;
  }

  async #write(): Promise<void> {
    const gone = this.#recompute();
    const after = buildRuleset([...this.#ports.values()].flat(), this.#options);
    const delta = deltaScript(this.#options.table, this.#installed, after);
    const script = this.#installed ? delta : frameScript(this.#options) + delta;
    if (script) await runProgram('nft', ['-f', '-'], { input: script });
    this.#installed = after;
    await this.#forgetFlows(gone);
  }

  /** Brings the ports of changed services up to date; returns UDP backends that are gone, whose flows would linger. */
  #recompute(): { clusterIP: string; ip: string }[] {
    const gone: { clusterIP: string; ip: string }[] = [];
    for (const key of this.#dirty) {
      const service = this.#services.get(key);
      const old = this.#ports.get(key) ?? [];
      const ports = service ? servicePorts(service, this.#slices.byIndex('service', key), this.#options.nodeName) : [];
      if (ports.length) this.#ports.set(key, ports);
      else this.#ports.delete(key);
      for (const port of old.filter(({ protocol }) => protocol === 'udp')) {
        const now = ports.find(({ id, protocol }) => id === port.id && protocol === 'udp')?.backends ?? [];
        for (const { ip } of port.backends)
          if (!now.some((backend) => backend.ip === ip)) gone.push({ clusterIP: port.clusterIP, ip });
      }
    }
    this.#dirty.clear();
    return gone;
  }

  /** UDP has no end of a connection: without this a client would go on sending to a pod that is gone. */
  async #forgetFlows(gone: readonly { clusterIP: string; ip: string }[]): Promise<void> {
    for (const { clusterIP, ip } of gone) {
      await runProgram('conntrack', ['-D', '-p', 'udp', '--orig-dst', clusterIP, '--reply-src', ip]).catch(() => {}); // fails when there is no such flow
    }
  }
}

/** Lets `localhost:<node port>` work; the table's first chain keeps other hosts from using it. */
async function allowLoopbackNodePorts(): Promise<void> {
  await writeFile('/proc/sys/net/ipv4/conf/all/route_localnet', '1').catch(() => {}); // read-only in some containers: node addresses still work
}
