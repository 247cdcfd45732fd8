import { Buffer } from 'node:buffer';
import type { KindDefinition } from '../../api/kind.ts';
import { apiVersionOf, type WatchEventType } from '../../apimachinery/meta.ts';
import { Entry } from './entry.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** What a watcher is told. */
export class Notice {
  readonly type: WatchEventType;
  /** In the version that is served. */
  readonly entry: Entry;
  /** As it was before, in the stored version; of changes alone. */
  readonly previous: Entry | undefined;
  #frames: Map<string, Buffer> | undefined;

  constructor(type: WatchEventType, entry: Entry, previous?: Entry) {
    this.type = type;
    this.entry = entry;
    this.previous = previous;
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
}

/** Notices that are told together. */
export class Batch {
  readonly notices: readonly Notice[];
  /** Whether others are told the same. */
  readonly shared: boolean;
  /** About how much there is to send. */
  readonly bytes: number;
  #frames: Map<string, Buffer> | undefined;

  constructor(notices: readonly Notice[], shared = false) {
    this.notices = notices;
    this.bytes = notices.reduce((sum, { entry }) => sum + entry.size, 0);
    this.shared = shared;
  }

  /** The encoded events, made by `encode` the first time that `representation` is asked for. */
  frames(representation: string, encode: (notices: readonly Notice[]) => Buffer): Buffer {
    let frames = this.#frames?.get(representation);
    if (!frames) {
      frames = encode(this.notices);
      this.#frames ??= new Map();
      this.#frames.set(representation, frames);
    }
    return frames;
  }

  /** What is in it after `revision`. */
  after(revision: number): Batch {
    const [first] = this.notices;
    if (!first || first.entry.revision > revision) return this;
    return new Batch(this.notices.filter(({ entry }) => entry.revision > revision));
  }
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
      notice = new Notice(type, entry.as(definition), this.previous);
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
