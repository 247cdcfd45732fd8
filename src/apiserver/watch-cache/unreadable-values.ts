/** Store keys of values that could not be decrypted, with the revision of the value. */
export class UnreadableValues {
  readonly #revisions = new Map<string, number>();

  get size(): number {
    return this.#revisions.size;
  }

  set(key: string, revision: number): void {
    this.#revisions.set(key, revision);
  }

  delete(key: string): void {
    this.#revisions.delete(key);
  }

  clear(): void {
    this.#revisions.clear();
  }

  revision(key: string): number | undefined {
    return this.#revisions.get(key);
  }

  /** `prefix` and `name`, or all that begin with `prefix` when there is no name. */
  among(prefix: string, name: string): readonly string[] {
    if (name !== '') return this.#revisions.has(prefix + name) ? [prefix + name] : [];
    return [...this.#revisions.keys()].filter((key) => key.startsWith(prefix));
  }
}
