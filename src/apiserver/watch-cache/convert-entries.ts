import type { KindDefinition } from '../../api/kind.ts';
import type { Entry } from './entry.ts';

/** How many objects a conversion webhook gets at once. */
const BATCH = 500;

/** Has a webhook convert all those that need it, in batches: `as(definition)` can answer then. */
export async function convertEntries(definition: KindDefinition, entries: readonly Entry[]): Promise<void> {
  if (!definition.storage?.convert) return;
  const needed = entries.filter((entry) => entry.mustConvert(definition));
  for (let at = 0; at < needed.length; at += BATCH) {
    const batch = needed.slice(at, at + BATCH);
    const converted = await definition.storage.convert(batch.map((entry) => entry.object));
    for (const [index, entry] of batch.entries()) entry.setView(definition, converted[index]!);
  }
}
