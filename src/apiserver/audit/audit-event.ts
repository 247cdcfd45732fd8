import type { Status } from '../../apimachinery/meta.ts';

export const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof LEVELS)[number];

export const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof STAGES)[number];

export interface AuditUser {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

export interface ObjectReference {
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly apiGroup?: string;
  readonly apiVersion: string;
  readonly resourceVersion?: string;
  readonly subresource?: string;
}

/** `Event` of `audit.k8s.io/v1`. */
export interface AuditEvent {
  readonly kind: 'Event';
  readonly apiVersion: 'audit.k8s.io/v1';
  readonly level: AuditLevel;
  readonly auditID: string;
  readonly stage: AuditStage;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: AuditUser;
  readonly impersonatedUser?: AuditUser;
  readonly authenticationMetadata?: { readonly impersonationConstraint: string };
  readonly sourceIPs?: readonly string[];
  readonly userAgent?: string;
  readonly objectRef?: ObjectReference;
  readonly responseStatus?: Partial<Status> & { readonly code: number };
  readonly requestObject?: unknown;
  /** A RecordedList, or an object. */
  readonly responseObject?: unknown;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The JSON of an event; of a large one in pieces that make it together. */
export type AuditLine = string | readonly string[];

/** Where events go. */
export interface AuditBackend {
  /** As metrics name it: `log`, `webhook`. */
  readonly name: string;
  /** How many events were lost since the start. */
  readonly lost: number;
  /** Requests wait until their first event has gone out; `strict`: those whose hasn't are refused. */
  readonly waits?: 'lenient' | 'strict';
  /** Larger events are sent without objects, or not at all. */
  readonly maxEventBytes?: number;
  /** As a line of text, in place of JSON. */
  readonly legacy?: boolean;
  /** Neither throws nor waits. The event's JSON, whole or in pieces. */
  write(line: AuditLine): void;
  /** The same, and resolves whether it has gone out. Never rejects. */
  send(line: AuditLine): Promise<boolean>;
  /** Resolves when what was written has gone out, or can't. */
  close(): Promise<void>;
}
