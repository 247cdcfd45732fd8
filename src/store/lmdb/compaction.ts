import type { Database } from './database.ts';
import { deletedKey, recordKey } from './database-keys.ts';
import type { Batch } from './group-commit.ts';

const STEP = 256;

/**
 * One step of removing what a compaction made needless: of each record up to the compacted revision the one before it on
 * the same key, and deletions themselves. What any revision from the compacted one on shows stays. True while there is more.
 */
export function scrub(database: Database, batch: Batch): boolean {
  const { scrubbedRevision, compactRevision } = batch.meta;
  if (scrubbedRevision >= compactRevision) return false;
  const snapshot = database.snapshot();
  let scrubbed = compactRevision;
  try {
    let last = scrubbedRevision;
    let records = 0;
    for (const at of database.positions(scrubbedRevision, snapshot)) {
      const { revision } = at;
      if (revision > compactRevision) break;
      if (revision > last && records >= STEP) {
        scrubbed = last;
        break;
      }
      last = revision;
      records++;
      const record = database.record(at, snapshot);
      if (!record) continue;
      const { previous, kv } = record;
      if (previous.revision > 0)
        batch.writes.push({ key: recordKey(previous.revision, previous.index), value: undefined });
      if (record.type === 'put') continue;
      batch.writes.push({ key: recordKey(revision, at.index), value: undefined });
      const deletion = database.deletion(kv.key, snapshot);
      if (deletion?.revision === revision) batch.writes.push({ key: deletedKey(kv.key), value: undefined });
    }
  } finally {
    snapshot.done();
  }
  batch.meta = { ...batch.meta, scrubbedRevision: scrubbed };
  return scrubbed < compactRevision;
}
