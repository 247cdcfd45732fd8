import { hasNodePorts } from '../../../api/core/service-update.ts';
import type { Service, ServiceSpec } from '../../../api/types/core.v1.gen.ts';
import type { IPAddress } from '../../../api/types/networking.v1.gen.ts';
import { type FieldError, FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import { internalError, invalid } from '../../../apimachinery/status-error.ts';
import type { Entry } from '../../watch-cache/entry.ts';
import type { CacheListener } from '../../watch-cache/resource-cache.ts';
import type { ResourceHooks } from '../resource-hooks.ts';
import { type IPAddressObjects, serviceOf } from './ip-address-objects.ts';
import { completeFamilies } from './ip-families.ts';
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
      const errors = [...this.#addresses(service.spec, old, reserved), ...this.#nodePorts(service.spec, reserved)];
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
    const errors = completeFamilies(service, old?.spec, this.#ranges.families);
    if (errors.length || service.clusterIP === NONE || service.clusterIPs?.[0] === NONE) {
      if (service.clusterIPs?.[0] === NONE) service.clusterIP ||= NONE;
      return errors;
    }
    const given = service.clusterIPs ?? [];
    const assigned: string[] = [];
    for (const [index, family] of (service.ipFamilies ?? []).entries()) {
      const wanted = given[index];
      if (wanted !== undefined && wanted !== '') {
        const problem = this.#claimAddress(wanted, reserved);
        if (problem)
          return [invalidValue(spec.child('clusterIPs'), given, `failed to allocate IP ${wanted}: ${problem}`)];
        assigned.push(wanted);
        continue;
      }
      const address = this.#ranges.take(family, reserved.owner);
      if (address === undefined) throw internalError('failed to allocate a serviceIP: range is full');
      reserved.addresses.push(address);
      assigned.push(address);
    }
    service.clusterIPs = assigned;
    if (assigned[0] !== undefined) service.clusterIP = assigned[0];
    return [];
  }

  #claimAddress(address: string, reserved: Reserved): string | undefined {
    const pool = this.#ranges.poolOf(address);
    if (!pool) {
      const ranges = this.#ranges.cidrs.join(',');
      return `the provided network does not match the current range: the provided IP (${address}) is not in the valid range. The range of valid IPs is ${ranges}`;
    }
    const held = pool.ownerOf(address) === reserved.owner;
    if (pool.claim(address, reserved.owner) === 'taken') return 'provided IP is already allocated';
    if (!held) reserved.addresses.push(address);
    return undefined;
  }

  #nodePorts(service: Draft<ServiceSpec>, reserved: Reserved): FieldError[] {
    const errors: FieldError[] = [];
    if (hasNodePorts(service)) {
      // One number serves all protocols of the same port.
      const numbers = new Map<number, number>();
      const ports = service.ports ?? [];
      ports.forEach((port, index) => {
        if (!port.nodePort) return;
        errors.push(...this.#claimPort(port.nodePort, spec.child('ports').index(index).child('nodePort'), reserved));
        numbers.set(port.port, port.nodePort);
      });
      for (const port of ports) {
        if (port.nodePort || errors.length) continue;
        const shared = numbers.get(port.port);
        const free =
          shared !== undefined && !ports.some((other) => other.protocol === port.protocol && other.nodePort === shared);
        port.nodePort = free ? shared : this.#takePort(reserved);
        numbers.set(port.port, port.nodePort);
      }
    }
    if (service.type !== 'LoadBalancer' || service.externalTrafficPolicy !== 'Local') return errors;
    if (service.healthCheckNodePort)
      errors.push(...this.#claimPort(service.healthCheckNodePort, spec.child('healthCheckNodePort'), reserved));
    else if (!errors.length) service.healthCheckNodePort = this.#takePort(reserved);
    return errors;
  }

  #claimPort(port: number, path: FieldPath, reserved: Reserved): FieldError[] {
    const held = this.#ports.ownerOf(port) === reserved.owner;
    switch (this.#ports.claim(port, reserved.owner)) {
      case 'ok':
        if (!held) reserved.ports.push(port);
        return [];
      case 'taken':
        return [invalidValue(path, port, 'provided port is already allocated')];
      default: {
        const { from, to } = this.#ports;
        return [
          invalidValue(
            path,
            port,
            `provided port is not in the valid range. The range of valid ports is ${from}-${to}`,
          ),
        ];
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
