import { Buffer } from 'node:buffer';
import type { KindDefinition } from '../../api/kind.ts';
import { apiVersionOf, type WatchEventType } from '../../apimachinery/meta.ts';
import { Entry } from './entry.ts';

const MAX_BATCHES = 4;

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** What a watcher is told. */
export class Notice {
  readonly type: WatchEventType;
  /** In the version that is served. */
  readonly entry: Entry;
  /** All watchers that are told the same are given the same notice, so that it is encoded once. */
  readonly shared: boolean;
  #frames: Map<string, Buffer> | undefined;
  #batches: Batch[] | undefined;

  constructor(type: WatchEventType, entry: Entry, shared = false) {
    this.type = type;
    this.entry = entry;
    this.shared = shared;
  }

  /** The encoded event, made by `encode` the first time that `representation` is asked for. */
  frame(representation: string, encode: (notice: Notice) => Buffer): Buffer {
    let frame = this.#frames?.get(representation);
    if (!frame) {
      frame = encode(this);
      this.#frames ??= new Map();
      this.#frames.set(representation, frame);
    }
    return frame;
  }

  /** The encoded events of `notices`, of which this is the first: made once for all watchers that are told the same. */
  frames(representation: string, notices: readonly Notice[], encode: () => Buffer): Buffer {
    const known = this.#batches?.find(
      (batch) => batch.representation === representation && same(batch.notices, notices),
    );
    if (known) return known.bytes;
    const bytes = encode();
    this.#batches ??= [];
    // Of watchers that lag behind each may have a batch of its own.
    if (this.#batches.length < MAX_BATCHES) this.#batches.push({ representation, notices, bytes });
    return bytes;
  }
}

interface Batch {
  readonly representation: string;
  readonly notices: readonly Notice[];
  readonly bytes: Buffer;
}

function same(a: readonly Notice[], b: readonly Notice[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** One change of one object. */
export class CacheEvent {
  readonly type: ChangeType;
  readonly revision: number;
  /** The new state; for DELETED the last one, at the revision of the deletion. */
  readonly entry: Entry;
  readonly previous: Entry | undefined;
  #notices: Map<string, Map<KindDefinition, Notice>> | undefined;

  constructor(type: ChangeType, entry: Entry, previous: Entry | undefined) {
    this.type = type;
    this.revision = entry.revision;
    this.entry = entry;
    this.previous = previous;
  }

  /** The notice of this event as `type`; an object that leaves a selector is DELETED in its previous state. */
  notice(type: ChangeType, definition: KindDefinition): Notice {
    this.#notices ??= new Map();
    let byDefinition = this.#notices.get(type);
    if (!byDefinition) {
      byDefinition = new Map();
      this.#notices.set(type, byDefinition);
    }
    let notice = byDefinition.get(definition);
    if (!notice) {
      const leaves = type === 'DELETED' && this.type !== 'DELETED';
      const entry = leaves ? this.previous!.at(this.revision) : this.entry;
      notice = new Notice(type, entry.as(definition), true);
      byDefinition.set(definition, notice);
    }
    return notice;
  }

  /** Whether any watcher was given notice. */
  get told(): boolean {
    return this.#notices !== undefined;
  }

  /** Lets go of encoded frames; history keeps the event itself. */
  release(): void {
    this.#notices = undefined;
  }
}

/** A bookmark: everything up to `revision` has been sent. */
export function bookmark(definition: KindDefinition, revision: number, initialEventsEnd: boolean): Notice {
  const object = {
    apiVersion: apiVersionOf(definition.group, definition.version),
    kind: definition.kind,
    metadata: {
      ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      creationTimestamp: null,
    },
  };
  return new Notice('BOOKMARK', new Entry('', revision, Buffer.from(JSON.stringify(object))));
}
