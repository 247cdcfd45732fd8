import type { Event } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { KubeObject } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import { pause } from './backoff.ts';
import type { Client } from './client.ts';
import { Events } from './resource-types.gen.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventDetails {
  /** Of the part that the event is about: `spec.containers{web}`. */
  readonly fieldPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Tells users what happened to an object. Never blocks, never throws; what can't be sent is dropped. */
export interface EventRecorder {
  event(object: KubeObject, type: EventType, reason: string, message: string, details?: EventDetails): void;
  /** Sends what is queued, for at most a second. */
  stop(): Promise<void>;
}

export const silentRecorder: EventRecorder = { event() {}, stop: async () => {} };

export interface EventRecorderOptions {
  readonly client: Client;
  readonly logger: Logger;
  /** `source.component`, e.g. `deployment-controller`. */
  readonly component: string;
  /** `source.host`: the node, for node components. */
  readonly host?: string;
  readonly now?: () => number;
}

const QUEUE_LIMIT = 1_000;
/** As upstream: 25 events at once about one object, then one per five minutes. */
const BURST = 25;
const REFILL_MS = 300_000;
/** As upstream: that many different messages of one reason within ten minutes are told as one. */
const SIMILAR_LIMIT = 10;
const SIMILAR_WINDOW_MS = 600_000;
const CACHE_LIMIT = 4_096;
const ATTEMPTS = 6;

interface Seen {
  name: string;
  count: number;
  firstTimestamp: string;
}
interface Similar {
  readonly messages: Set<string>;
  since: number;
}
interface Bucket {
  tokens: number;
  at: number;
}
interface Pending {
  readonly key: string;
  readonly event: Event;
}

/** Repeated events are counted on one Event object, similar ones combined, floods cut off: upstream's correlator. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const now = options.now ?? Date.now;
  const events = options.client.for(Events);
  const seen = new Map<string, Seen>();
  const similar = new Map<string, Similar>();
  const buckets = new Map<string, Bucket>();
  const queue: Pending[] = [];
  const abort = new AbortController();
  let sending: Promise<void> | undefined;
  let dropped = 0;

  function allowed(subject: string): boolean {
    const time = now();
    const bucket = remember(buckets, subject, () => ({ tokens: BURST, at: time }));
    bucket.tokens = Math.min(BURST, bucket.tokens + Math.max(0, time - bucket.at) / REFILL_MS);
    bucket.at = time;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** The key under which the event is counted, and its message. */
  function correlate(group: string, message: string): { key: string; message: string } {
    const time = now();
    const record = remember(similar, group, () => ({ messages: new Set<string>(), since: time }));
    if (time - record.since > SIMILAR_WINDOW_MS) {
      record.messages.clear();
      record.since = time;
    }
    record.messages.add(message);
    if (record.messages.size < SIMILAR_LIMIT) return { key: `${group}\n${message}`, message };
    return { key: group, message: `(combined from similar events): ${message}` };
  }

  async function send({ key, event }: Pending): Promise<void> {
    const namespace = event.metadata.namespace;
    const record = seen.get(key);
    if (record) {
      record.count++;
      try {
        const body = { count: record.count, message: event.message, lastTimestamp: event.lastTimestamp };
        await events.patch({ namespace, name: record.name }, 'merge', body);
        return;
      } catch (error) {
        // Events expire: one that is counted no more is told anew.
        if (!isStatusError(error, 'NotFound')) throw error;
        seen.delete(key);
      }
    }
    await events.create(event);
    remember(seen, key, () => ({
      name: event.metadata.name,
      count: 1,
      firstTimestamp: event.firstTimestamp ?? '',
    }));
  }

  async function drain(): Promise<void> {
    for (let next = queue.shift(); next; next = queue.shift()) {
      for (let attempt = 1; ; attempt++) {
        try {
          await send(next);
          break;
        } catch (error) {
          // The namespace is being deleted, or the event is no good: another try won't help.
          const hopeless = isStatusError(error) && error.code < 500 && error.code !== 429;
          if (hopeless || attempt === ATTEMPTS || abort.signal.aborted) {
            options.logger.debug({ err: error, reason: next.event.reason }, 'an event could not be recorded');
            break;
          }
          await pause(100 * 2 ** attempt, abort.signal);
        }
      }
    }
    if (dropped > 0) options.logger.warn({ dropped }, 'events were dropped: the queue was full');
    dropped = 0;
  }

  return {
    event(object, type, reason, message, details) {
      try {
        if (abort.signal.aborted) return;
        const { metadata } = object;
        const subject = `${object.kind}/${metadata.namespace ?? ''}/${metadata.name}/${metadata.uid ?? ''}`;
        if (!allowed(subject)) return;
        if (queue.length >= QUEUE_LIMIT) {
          dropped++;
          return;
        }
        const group = [subject, type, reason, details?.fieldPath ?? ''].join('\n');
        const correlated = correlate(group, message);
        queue.push({ key: correlated.key, event: newEvent(object, type, reason, correlated.message, details) });
        sending ??= drain().finally(() => {
          sending = undefined;
        });
      } catch (error) {
        options.logger.error({ err: error, reason }, 'an event could not be made');
      }
    },
    async stop() {
      const timer = setTimeout(() => abort.abort(), 1_000);
      await sending;
      clearTimeout(timer);
      abort.abort();
    },
  };

  function newEvent(
    object: KubeObject,
    type: EventType,
    reason: string,
    message: string,
    details?: EventDetails,
  ): Event {
    const { metadata } = object;
    const time = now();
    const timestamp = new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${metadata.name}.${eventSuffix(time)}`,
        namespace: metadata.namespace ?? 'default',
        ...(details?.annotations ? { annotations: details.annotations } : {}),
      },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: metadata.name,
        ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
        ...(metadata.uid ? { uid: metadata.uid } : {}),
        ...(metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {}),
        ...(details?.fieldPath ? { fieldPath: details.fieldPath } : {}),
      },
      type,
      reason,
      message: message.slice(0, 1024),
      source: { component: options.component, ...(options.host ? { host: options.host } : {}) },
      reportingComponent: options.component,
      reportingInstance: options.host ?? '',
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      count: 1,
    };
  }
}

/** Nanoseconds since the epoch in hex, as upstream names events; the part below a millisecond is random. */
function eventSuffix(milliseconds: number): string {
  return (BigInt(milliseconds) * 1_000_000n + BigInt(Math.floor(Math.random() * 1_000_000))).toString(16);
}

/** Gets or makes an entry of a map that forgets its least recently used entries. */
function remember<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  if (map.size > CACHE_LIMIT) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
  return value;
}
