import ipaddr from 'ipaddr.js';

export type IPFamily = 'IPv4' | 'IPv6';

/** More addresses than this of a range are not handed out. */
const MAX_SIZE = 2 ** 20;

export type Claim = 'taken' | 'outside' | 'ok';

/** The addresses of one service CIDR and who has them. */
export class AddressPool {
  readonly cidr: string;
  readonly family: IPFamily;
  readonly #network: ipaddr.IPv4 | ipaddr.IPv6;
  readonly #bits: number;
  readonly #base: bigint;
  readonly #size: number;
  readonly #owners: Map<string, string>;

  /** `owners`, by address, is shared by ranges that may overlap. Throws for a range that is no CIDR. */
  constructor(cidr: string, owners: Map<string, string>) {
    this.#owners = owners;
    const [address, bits] = ipaddr.parseCIDR(cidr);
    this.cidr = cidr;
    this.family = address.kind() === 'ipv4' ? 'IPv4' : 'IPv6';
    this.#network = address;
    this.#bits = bits;
    const width = this.family === 'IPv4' ? 32 : 128;
    this.#base = (toNumber(address) >> BigInt(width - bits)) << BigInt(width - bits);
    this.#size = Math.min(MAX_SIZE, 2 ** Math.min(width - bits, 40));
  }

  /** The first usable address: the `kubernetes` Service's. */
  get first(): string {
    return this.#at(1);
  }

  contains(address: string): boolean {
    const parsed = ipaddr.isValid(address) ? ipaddr.parse(address) : undefined;
    if (!parsed || parsed.kind() !== this.#network.kind()) return false;
    if (!(parsed as ipaddr.IPv4).match(this.#network as ipaddr.IPv4, this.#bits)) return false;
    const offset = toNumber(parsed) - this.#base;
    // Neither the network's address nor, of IPv4, the broadcast address.
    return offset !== 0n && !(this.family === 'IPv4' && offset === BigInt(this.#size - 1));
  }

  ownerOf(address: string): string | undefined {
    return this.#owners.get(normalize(address));
  }

  /** Takes a given address for `owner`. */
  claim(address: string, owner: string): Claim {
    if (!this.contains(address)) return 'outside';
    const key = normalize(address);
    const present = this.#owners.get(key);
    if (present !== undefined && present !== owner) return 'taken';
    this.#owners.set(key, owner);
    return 'ok';
  }

  /** Takes any free address; the low ones are for those who ask for a given one, as long as there are others. */
  take(owner: string): string | undefined {
    const last = this.#size - (this.family === 'IPv4' ? 2 : 1);
    const reserved = Math.min(Math.max(16, Math.floor(this.#size / 16)), 256);
    return this.#takeFrom(reserved + 1, last, owner) ?? this.#takeFrom(1, Math.min(reserved, last), owner);
  }

  #takeFrom(from: number, to: number, owner: string): string | undefined {
    const count = to - from + 1;
    if (count <= 0) return undefined;
    const start = Math.floor(Math.random() * count);
    for (let i = 0; i < count; i++) {
      const address = this.#at(from + ((start + i) % count));
      if (this.#owners.has(address)) continue;
      this.#owners.set(address, owner);
      return address;
    }
    return undefined;
  }

  #at(offset: number): string {
    return fromNumber(this.#base + BigInt(offset), this.family);
  }
}

/** One form of an address; text that is none stays as it is. */
export function normalize(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.parse(address).toString() : address;
}

function toNumber(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

function fromNumber(number: bigint, family: IPFamily): string {
  const bytes: number[] = [];
  for (let rest = number, left = family === 'IPv4' ? 4 : 16; left > 0; left--, rest >>= 8n)
    bytes.unshift(Number(rest & 255n));
  return ipaddr.fromByteArray(bytes).toString();
}
