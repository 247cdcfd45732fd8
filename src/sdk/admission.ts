import type { Draft } from '../apimachinery/json.ts';
import type { GroupVersionKind, GroupVersionResource, UnstructuredObject } from '../apimachinery/meta.ts';
import type { UserInfo } from './user.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions as the client gave them. */
  readonly options: { readonly [key: string]: unknown };
  /** UPDATE and DELETE: the object as stored. */
  readonly oldObject?: UnstructuredObject;
  /** Shown to the client as a `Warning` header. */
  warn(message: string): void;
  /** `key` is qualified: `podsecurity.kubernetes.io/audit`. */
  annotateAudit(key: string, value: string): void;
}

/**
 * One admission step. Throws StatusError (most often `forbidden`) to reject; any other error is a 500 for the client.
 * Mutating steps run first, each on the draft that the one before left; validating steps see the final object.
 */
export interface AdmissionStep {
  readonly name: string;
  /** Narrow and cheap: which requests it sees. */
  handles(attributes: AdmissionAttributes): boolean;
  mutate?(attributes: AdmissionAttributes, object: Draft<UnstructuredObject>): void | Promise<void>;
  /** Asked once all have mutated: true when its changes are such that all should have another look, once. */
  reinvoke?(attributes: AdmissionAttributes): boolean;
  validate?(attributes: AdmissionAttributes, object: UnstructuredObject | undefined): void | Promise<void>;
}
