import { type KeyValue, prefixEnd, type Store, type StoreEvent, type StoreOperation } from '../store.ts';

export function collect(store: Store, start: string, startRevision: number, end = prefixEnd(start)) {
  const result = {
    events: [] as StoreEvent[],
    get log() {
      return this.events.map(({ type, kv }) => `${type} ${kv.key} ${text(kv.value)}`);
    },
    revision: 0,
    watch: store.watch({
      start,
      end,
      startRevision,
      onEvents: (events, revision) => {
        result.events.push(...events);
        result.revision = revision;
      },
      onProgress: (revision) => {
        result.revision = revision;
      },
    }),
  };
  return result;
}

export async function write(store: Store, operations: StoreOperation[]): Promise<number> {
  const result = await store.commit({ compare: [], operations });
  if (!result.succeeded) throw new Error('a transaction without conditions failed');
  return result.revision;
}

export function put(store: Store, key: string, value: string, lease?: string): Promise<number> {
  return write(store, [{ type: 'put', key, value: bytes(value), ...(lease ? { lease } : {}) }]);
}

export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not come to pass in time');
    await settle(2);
  }
}

export function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function line(event: StoreEvent): string {
  return `${event.type} ${JSON.stringify(show(event.kv))} ${JSON.stringify(show(event.previous))}`;
}

export function show(kv: KeyValue | undefined) {
  return kv && { ...kv, value: text(kv.value) };
}

export function bytes(value: string): Uint8Array {
  return Buffer.from(value);
}

export function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
