import { isDictionary } from '../schema-walk.ts';

/**
 * The order of a merged list: items of the patch in the patch's order; items that only the server has are put among them
 * before the first one that follows them in the server's list, and after the patch's items when nothing tells.
 */
export function inElementOrder(
  merged: readonly unknown[],
  patchOrder: readonly unknown[],
  serverOrder: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const identity = (item: unknown) =>
    JSON.stringify(mergeKey !== undefined && isDictionary(item) ? [item[mergeKey]] : item);
  const inPatch = positions(patchOrder, identity);
  const onServer = positions(serverOrder, identity);
  const ordered: Item[] = merged.map((value) => {
    const id = identity(value);
    return { value, patch: inPatch.get(id), server: onServer.get(id) };
  });
  const byServer = (a: Item, b: Item) => (a.server ?? Infinity) - (b.server ?? Infinity) || 0;
  const fromPatch = ordered.filter((item) => item.patch !== undefined).sort((a, b) => (a.patch ?? 0) - (b.patch ?? 0));
  const serverOnly = ordered.filter((item) => item.patch === undefined).sort(byServer);

  const result: unknown[] = [];
  let next = 0;
  for (const item of fromPatch) {
    for (; next < serverOnly.length; next++) {
      const candidate = serverOnly[next] as Item;
      if (candidate.server === undefined || item.server === undefined || candidate.server >= item.server) break;
      result.push(candidate.value);
    }
    result.push(item.value);
  }
  for (; next < serverOnly.length; next++) result.push((serverOnly[next] as Item).value);
  return result;
}

interface Item {
  readonly value: unknown;
  readonly patch: number | undefined;
  readonly server: number | undefined;
}

function positions(items: readonly unknown[], identity: (item: unknown) => string): Map<string, number> {
  const result = new Map<string, number>();
  items.forEach((item, index) => {
    const id = identity(item);
    if (!result.has(id)) result.set(id, index);
  });
  return result;
}
