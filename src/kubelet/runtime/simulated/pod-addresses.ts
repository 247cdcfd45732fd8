import { RuntimeError } from '../runtime-error.ts';

/** Hands out IPv4 addresses of a range; nodes that share one never give two pods the same. */
export interface PodAddresses {
  /** False until there is a range. */
  readonly ready: boolean;
  /** From now on new pods get addresses of this range; those given out stay. */
  use(cidr: string): void;
  /** Throws RuntimeError when none is left. */
  allocate(): string;
  release(address: string): void;
}

/** Without a range there are no addresses before `use`, and a runtime with them is not ready for pods. */
export function createPodAddresses(cidr?: string): PodAddresses {
  const taken = new Set<string>();
  let range: { readonly cidr: string; readonly first: number; readonly last: number } | undefined;
  let next = 0;

  function use(text: string): void {
    const { base, size } = parseRange(text);
    // The network's own address, the gateway's and the broadcast address are no pod's.
    range = { cidr: text, first: base + 2, last: base + size - 2 };
    next = range.first;
  }

  if (cidr !== undefined) use(cidr);
  return {
    get ready() {
      return range !== undefined;
    },
    use,
    allocate() {
      if (!range)
        throw new RuntimeError('Unknown', 'failed to setup network for sandbox: the node has no pod range yet');
      const { first, last } = range;
      // The search goes on where it ended last, so that an address rests before it is given out again.
      for (let tries = first; tries <= last; tries++) {
        const address = format(next);
        next = next === last ? first : next + 1;
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
      throw new RuntimeError(
        'Unknown',
        `failed to setup network for sandbox: no IP addresses available in range set: ${range.cidr}`,
      );
    },
    release(address) {
      taken.delete(address);
    },
  };
}

function parseRange(cidr: string): { base: number; size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const bytes = match?.slice(1, 5).map(Number) ?? [];
  const prefix = Number(match?.[5]);
  if (!match || bytes.some((byte) => byte > 255) || prefix < 8 || prefix > 29) {
    throw new TypeError(`"${cidr}" is not an IPv4 range for pods: a prefix from /8 to /29 is needed`);
  }
  const size = 2 ** (32 - prefix);
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { base: address - (address % size), size };
}

const format = (address: number) => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
