import type { ServiceCIDR } from '../../../api/types/networking.v1.gen.ts';
import type { Entry } from '../../watch-cache/entry.ts';
import type { CacheListener } from '../../watch-cache/resource-cache.ts';
import { AddressPool, type IPFamily, normalize } from './address-pool.ts';

/** The ranges that cluster IPs come from: the server's own, and those of further ServiceCIDRs while they are ready. */
export class ServiceRanges implements CacheListener {
  readonly #own: readonly AddressPool[];
  readonly #further = new Map<string, readonly AddressPool[]>();
  readonly #owners = new Map<string, string>();

  /** Throws for a range that is no CIDR. */
  constructor(cidrs: readonly string[]) {
    this.#own = cidrs.map((cidr) => new AddressPool(cidr, this.#owners));
  }

  get families(): readonly IPFamily[] {
    return this.#own.map(({ family }) => family);
  }

  /** The address of the `kubernetes` Service. */
  get firstAddress(): string {
    return this.#own[0]!.first;
  }

  upsert(entry: Entry): void {
    const { metadata, spec, status } = entry.object as unknown as ServiceCIDR;
    const ready =
      !metadata.deletionTimestamp &&
      status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    const cidrs = ready ? (spec?.cidrs ?? []).filter((cidr) => !this.#own.some((pool) => pool.cidr === cidr)) : [];
    this.#further.set(
      metadata.name,
      cidrs.map((cidr) => new AddressPool(cidr, this.#owners)),
    );
  }

  remove({ object }: Entry): void {
    this.#further.delete(object.metadata.name);
  }

  /** Takes any free address of the family. */
  take(family: string, owner: string): string | undefined {
    for (const pool of this.#pools()) {
      const address = pool.family === family ? pool.take(owner) : undefined;
      if (address !== undefined) return address;
    }
    return undefined;
  }

  poolOf(address: string): AddressPool | undefined {
    for (const pool of this.#pools()) if (pool.contains(address)) return pool;
    return undefined;
  }

  /** Marks the address as `owner`'s, whatever range it is of. */
  hold(address: string, owner: string): void {
    const key = normalize(address);
    if (!this.#owners.has(key)) this.#owners.set(key, owner);
  }

  release(address: string, owner: string): void {
    const key = normalize(address);
    if (this.#owners.get(key) === owner) this.#owners.delete(key);
  }

  *#pools(): Iterable<AddressPool> {
    yield* this.#own;
    for (const pools of this.#further.values()) yield* pools;
  }
}
