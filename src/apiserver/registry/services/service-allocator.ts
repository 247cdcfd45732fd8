import { hasHealthCheckPort, hasNodePorts, takesNodePorts } from '../../../api/core/service-update.ts';
import type { Service, ServiceSpec } from '../../../api/types/core.v1.gen.ts';
import type { IPAddress } from '../../../api/types/networking.v1.gen.ts';
import { type FieldError, FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import { internalError, invalid } from '../../../apimachinery/status-error.ts';
import type { Entry } from '../../watch-cache/entry.ts';
import type { CacheListener } from '../../watch-cache/resource-cache.ts';
import type { ResourceHooks } from '../resource-hooks.ts';
import { type IPAddressObjects, serviceOf } from './ip-address-objects.ts';
import { completeFamilies, keepsFamilies } from './ip-families.ts';
import { PortPool } from './port-pool.ts';
import type { ServiceRanges } from './service-ranges.ts';

const NONE = 'None';
const spec = FieldPath.of('spec');

interface Reserved {
  readonly owner: string;
  readonly addresses: string[];
  readonly ports: number[];
}

/**
 * Gives Services their cluster IPs and node ports. What is taken is known from the watch cache, which reports every
 * Service and IPAddress; between a reservation and that report the reservation itself holds it.
 */
export class ServiceAllocator implements ResourceHooks, CacheListener {
  readonly #ranges: ServiceRanges;
  readonly #ports: PortPool;
  readonly #objects: IPAddressObjects;

  constructor(ranges: ServiceRanges, ports: { readonly from: number; readonly to: number }, objects: IPAddressObjects) {
    this.#ranges = ranges;
    this.#ports = new PortPool(ports);
    this.#objects = objects;
  }

  /** For the IPAddresses: what users reserve with them is given to nobody. */
  readonly addresses: CacheListener = {
    upsert: ({ object }) => {
      const address = object as unknown as IPAddress;
      this.#ranges.hold(address.metadata.name, serviceOf(address) ?? reservation(address));
    },
    remove: ({ object }) => {
      const address = object as unknown as IPAddress;
      const { name } = address.metadata;
      const owner = serviceOf(address);
      if (owner === undefined) this.#ranges.release(name, reservation(address));
      else if (!this.#held.get(owner)?.addresses.has(name)) this.#ranges.release(name, owner);
      else void this.#objects.create(name, owner).catch(() => undefined);
    },
  };

  /** Makes what a Service is missing, and deletes what a Service that is gone has left. */
  async repair(addresses: readonly IPAddress[]): Promise<void> {
    const present = new Map(addresses.map((address) => [address.metadata.name, address]));
    for (const [owner, held] of this.#held)
      for (const address of held.addresses) if (!present.has(address)) await this.#objects.create(address, owner);
    for (const [name, address] of present) {
      const owner = serviceOf(address);
      if (owner !== undefined && this.#objects.isManaged(address) && !this.#held.get(owner)?.addresses.has(name))
        await this.#objects.delete(name, owner);
    }
  }

  upsert(entry: Entry): void {
    const service = entry.object as unknown as Service;
    const owner = entry.key;
    const addresses = new Set(addressesOf(service.spec));
    const ports = new Set(portsOf(service.spec));
    const before = this.#held.get(owner);
    for (const address of before?.addresses ?? []) if (!addresses.has(address)) this.#releaseAddress(address, owner);
    for (const port of before?.ports ?? []) if (!ports.has(port)) this.#ports.release(port, owner);
    for (const address of addresses) this.#ranges.hold(address, owner);
    for (const port of ports) this.#ports.claim(port, owner);
    this.#held.set(owner, { addresses, ports });
  }

  remove({ key }: Entry): void {
    const before = this.#held.get(key);
    for (const address of before?.addresses ?? []) this.#releaseAddress(address, key);
    for (const port of before?.ports ?? []) this.#ports.release(port, key);
    this.#held.delete(key);
  }

  readonly #held = new Map<string, { addresses: Set<string>; ports: Set<number> }>();

  beginCreate(object: Draft<{ metadata: { name: string; namespace?: string } }>, options: { dryRun: boolean }) {
    return this.#begin(object as unknown as Draft<Service>, undefined, options.dryRun);
  }

  beginUpdate(object: object, old: object, options: { dryRun: boolean }) {
    return this.#begin(object as Draft<Service>, old as Service, options.dryRun);
  }

  async #begin(service: Draft<Service>, old: Service | undefined, dryRun: boolean) {
    if (!service.spec) return undefined;
    const { namespace = '', name } = service.metadata;
    const reserved: Reserved = { owner: `${namespace}/${name}`, addresses: [], ports: [] };
    try {
      const errors = this.#addresses(service.spec, old, reserved);
      if (!errors.length) errors.push(...this.#nodePorts(service.spec, old?.spec, reserved));
      if (errors.length) throw invalid({ group: '', kind: 'Service' }, name, errors);
      if (!dryRun)
        for (const address of reserved.addresses)
          if (!(await this.#objects.create(address, reserved.owner)))
            throw internalError(`failed to allocate IP ${address}: provided IP is already allocated`);
    } catch (error) {
      this.#undo(reserved);
      throw error;
    }
    if (dryRun) this.#undo(reserved);
    return (succeeded: boolean) => {
      if (!succeeded && !dryRun) this.#undo(reserved);
    };
  }

  #addresses(service: Draft<ServiceSpec>, old: Service | undefined, reserved: Reserved): FieldError[] {
    if (service.type === 'ExternalName') return [];
    if (service.clusterIP && !service.clusterIPs?.length) service.clusterIPs = [service.clusterIP];
    const before = old?.spec.type === 'ExternalName' ? undefined : old?.spec;
    const kept = keepsFamilies(service, before);
    const errors = completeFamilies(service, old?.spec, this.#ranges.families);
    if (errors.length || kept || service.clusterIPs?.[0] === NONE || before?.clusterIPs?.[0] === NONE) return errors;
    const families = service.ipFamilies ?? [];
    const given = [...(service.clusterIPs ?? [])];
    // An update gets a second address at most: validation sees to the first.
    const isUpgrade = before?.ipFamilies?.length === 1 && families.length === 2;
    if (before && !isUpgrade) return [];
    for (const [index, family] of families.entries()) {
      if (before && index === 0) continue;
      const wanted = given[index];
      if (wanted) {
        const problem = this.#claimAddress(wanted, reserved);
        if (problem)
          return [invalidValue(spec.child('clusterIPs'), given, `failed to allocate IP ${wanted}: ${problem}`)];
        continue;
      }
      const address = this.#ranges.take(family, reserved.owner);
      if (address === undefined) throw internalError('failed to allocate a serviceIP: range is full');
      reserved.addresses.push(address);
      given[index] = address;
    }
    service.clusterIPs = given;
    if (given[0]) service.clusterIP = given[0];
    return [];
  }

  #claimAddress(address: string, reserved: Reserved): string | undefined {
    const pool = this.#ranges.poolOf(address);
    if (!pool) return 'the provided network does not match the current range';
    const held = pool.ownerOf(address) === reserved.owner;
    if (pool.claim(address, reserved.owner) === 'taken') return 'provided IP is already allocated';
    if (!held) reserved.addresses.push(address);
    return undefined;
  }

  #nodePorts(service: Draft<ServiceSpec>, old: ServiceSpec | undefined, reserved: Reserved): FieldError[] {
    const errors = hasNodePorts(service) ? this.#portsOf(service, old, reserved) : [];
    if (errors.length > 0 || !hasHealthCheckPort(service)) return errors;
    const { healthCheckNodePort } = service;
    if (!healthCheckNodePort) service.healthCheckNodePort = this.#takePort(reserved);
    // An update may not change it, as validation says.
    else if (!old || !hasHealthCheckPort(old)) {
      const problem = this.#claimPort(healthCheckNodePort, reserved);
      if (problem)
        throw internalError(`failed to allocate requested HealthCheck NodePort ${healthCheckNodePort}: ${problem}`);
    }
    return [];
  }

  /** A new service's ports of one number share a node port, whatever their protocols. */
  #portsOf(service: Draft<ServiceSpec>, old: ServiceSpec | undefined, reserved: Reserved): FieldError[] {
    const ports = service.ports ?? [];
    const claimed = new Map<number, number>();
    for (const [index, port] of ports.entries()) {
      const { nodePort } = port;
      if (!nodePort || old?.ports?.some((before) => before.nodePort === nodePort)) continue;
      const sharer = claimed.get(nodePort);
      const problem =
        !old && sharer !== undefined && sharer !== port.port
          ? 'provided port is already allocated'
          : this.#claimPort(nodePort, reserved);
      if (problem) return [invalidValue(spec.child('ports').index(index).child('nodePort'), nodePort, problem)];
      claimed.set(nodePort, port.port);
    }
    if (!takesNodePorts(service)) return [];
    const numbers = new Map([...claimed].map(([nodePort, number]) => [number, nodePort]));
    for (const port of ports) {
      if (port.nodePort) continue;
      const shared = old ? undefined : numbers.get(port.port);
      const free =
        shared !== undefined && !ports.some((other) => other.protocol === port.protocol && other.nodePort === shared);
      port.nodePort = free ? shared : this.#takePort(reserved);
      numbers.set(port.port, port.nodePort);
    }
    return [];
  }

  /** Why the port can't be had. */
  #claimPort(port: number, reserved: Reserved): string | undefined {
    const held = this.#ports.ownerOf(port) === reserved.owner;
    switch (this.#ports.claim(port, reserved.owner)) {
      case 'ok':
        if (!held) reserved.ports.push(port);
        return undefined;
      case 'taken':
        return 'provided port is already allocated';
      default: {
        const { from, to } = this.#ports;
        return `provided port is not in the valid range. The range of valid ports is ${from}-${to}`;
      }
    }
  }

  #takePort(reserved: Reserved): number {
    const port = this.#ports.take(reserved.owner);
    if (port === undefined) throw internalError('failed to allocate a nodePort: range is full');
    reserved.ports.push(port);
    return port;
  }

  #undo({ owner, addresses, ports }: Reserved): void {
    for (const address of addresses) this.#releaseAddress(address, owner);
    for (const port of ports) this.#ports.release(port, owner);
    addresses.length = 0;
    ports.length = 0;
  }

  #releaseAddress(address: string, owner: string): void {
    this.#ranges.release(address, owner);
    void this.#objects.delete(address, owner);
  }
}

/** Whose an address is that no Service has. */
function reservation({ metadata }: IPAddress): string {
  return `ipaddresses/${metadata.uid ?? metadata.name}`;
}

function addressesOf(service: ServiceSpec): string[] {
  const all = service.clusterIPs?.length ? service.clusterIPs : [service.clusterIP ?? ''];
  return all.filter((address) => address !== '' && address !== NONE);
}

function portsOf(service: ServiceSpec): number[] {
  return [...(service.ports ?? []).map(({ nodePort }) => nodePort ?? 0), service.healthCheckNodePort ?? 0].filter(
    (port) => port > 0,
  );
}
