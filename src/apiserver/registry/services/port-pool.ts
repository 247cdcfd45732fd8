import type { Claim } from './address-pool.ts';

/** The node ports and who has them. A port is one Service's for all protocols. */
export class PortPool {
  readonly from: number;
  readonly to: number;
  readonly #owners = new Map<number, string>();

  /** `to` is inclusive. */
  constructor(range: { readonly from: number; readonly to: number }) {
    this.from = range.from;
    this.to = range.to;
  }

  claim(port: number, owner: string): Claim {
    if (port < this.from || port > this.to) return 'outside';
    const present = this.#owners.get(port);
    if (present !== undefined && present !== owner) return 'taken';
    this.#owners.set(port, owner);
    return 'ok';
  }

  ownerOf(port: number): string | undefined {
    return this.#owners.get(port);
  }

  /** Takes any free port; the low ones are for those who ask for a given one, as long as there are others. */
  take(owner: string): number | undefined {
    const size = this.to - this.from + 1;
    const reserved = size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
    return (
      this.#takeFrom(this.from + reserved, this.to, owner) ?? this.#takeFrom(this.from, this.from + reserved - 1, owner)
    );
  }

  release(port: number, owner: string): void {
    if (this.#owners.get(port) === owner) this.#owners.delete(port);
  }

  #takeFrom(from: number, to: number, owner: string): number | undefined {
    const count = to - from + 1;
    if (count <= 0) return undefined;
    const start = Math.floor(Math.random() * count);
    for (let i = 0; i < count; i++) {
      const port = from + ((start + i) % count);
      if (this.#owners.has(port)) continue;
      this.#owners.set(port, owner);
      return port;
    }
    return undefined;
  }
}
