import ipaddr from 'ipaddr.js';

/** The subnets of one size inside a network, and which of them are taken. */
export interface CidrSet {
  /** The next free subnet, now taken; undefined when none is left. */
  allocate(): string | undefined;
  /** Marks a subnet as taken; one outside of the network is ignored. */
  occupy(cidr: string): void;
  release(cidr: string): void;
}

/**
 * @param network e.g. `10.244.0.0/16`
 * @param prefix length of a subnet's prefix, e.g. 24
 */
export function createCidrSet(network: string, prefix: number): CidrSet {
  const [base, length] = ipaddr.parseCIDR(network);
  const bits = base.kind() === 'ipv4' ? 32 : 128;
  if (prefix < length || prefix > bits)
    throw new RangeError(`a subnet of /${prefix} does not fit in the cluster CIDR ${network}`);
  const start = (toNumber(base) >> BigInt(bits - length)) << BigInt(bits - length);
  const size = 1n << BigInt(bits - prefix);
  const count = 2 ** Math.min(prefix - length, 30);
  const taken = new Set<number>();
  let next = 0;

  function indexOf(cidr: string): number | undefined {
    try {
      const [address] = ipaddr.parseCIDR(cidr);
      if (address.kind() !== base.kind()) return undefined;
      const offset = (toNumber(address) - start) / size;
      return offset >= 0n && offset < BigInt(count) && toNumber(address) >= start ? Number(offset) : undefined;
    } catch {
      return undefined;
    }
  }

  return {
    allocate() {
      for (let tried = 0; tried < count; tried++) {
        const index = (next + tried) % count;
        if (taken.has(index)) continue;
        taken.add(index);
        next = (index + 1) % count;
        return `${toAddress(start + BigInt(index) * size, bits)}/${prefix}`;
      }
      return undefined;
    },
    occupy(cidr) {
      const index = indexOf(cidr);
      if (index !== undefined) taken.add(index);
    },
    release(cidr) {
      const index = indexOf(cidr);
      if (index !== undefined) taken.delete(index);
    },
  };
}

function toNumber(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function toAddress(value: bigint, bits: number): string {
  const bytes: number[] = [];
  for (let shift = bits - 8; shift >= 0; shift -= 8) bytes.push(Number((value >> BigInt(shift)) & 255n));
  return ipaddr.fromByteArray(bytes).toString();
}
