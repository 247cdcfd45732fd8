import type { FieldError } from '../apimachinery/field.ts';
import type { Draft } from '../apimachinery/json.ts';
import type { UnstructuredObject, Verb } from '../apimachinery/meta.ts';
import type { Schema } from '../apimachinery/schema.ts';

/** What rules find. `warnings` are failures that are excused because what they are about did not change. */
export interface RuleFindings {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
}

/**
 * Everything there is to say about a kind, as data and small pure functions. The API server is generic over it; a CRD
 * produces the same at run time. `T` is the kind's generated type; hooks get drafts (private copies) of it.
 */
// biome-ignore lint/suspicious/noExplicitAny: a registry holds definitions of all kinds, and hooks are contravariant in T
export interface KindDefinition<T = any> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  /** Plural, the path segment. */
  readonly resource: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Empty verbs with `virtual` set: served by a handler of its own (reviews, bindings), never stored. */
  readonly verbs: readonly Verb[];
  readonly virtual?: boolean;
  readonly schema: Schema;

  /** How it is stored: another version of the same objects (autoscaling v1 as v2, events.k8s.io as core events). Absent: as it is. */
  readonly storage?: {
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    /** A promise only where `convert` is. */
    toStorage(object: Draft<UnstructuredObject>): Draft<UnstructuredObject> | Promise<Draft<UnstructuredObject>>;
    fromStorage(object: Draft<UnstructuredObject>): Draft<UnstructuredObject>;
    /** The object, as stored, is in the form that this version stores (`toStorage`) or serves (`fromStorage`). */
    storesAsIs?(object: UnstructuredObject): boolean;
    servesAsIs?(object: UnstructuredObject): boolean;
    /** Custom resources with a conversion webhook: makes stored objects served ones, before `fromStorage` is asked. */
    convert?(objects: readonly UnstructuredObject[]): Promise<readonly UnstructuredObject[]>;
  };

  /** Custom resources: takes the place of the decoding of built-in types. */
  readonly decoding?: ObjectDecoding;

  /** How `metadata.name` is checked. */
  readonly nameFormat: NameFormat;
  /** `metadata.generateName` becomes the name as it is: no suffix would leave a name of this kind valid. */
  readonly generateNameIsName?: boolean;
  /**
   * `spec`: metadata.generation is 1 at creation and grows when anything but metadata and status changes; with the other
   * two, annotations or labels count too.
   */
  readonly generation: 'spec' | 'specAndAnnotations' | 'specAndLabels' | 'none';
  /** PUT of a name that does not exist creates it (leases, endpoints, ...). */
  readonly createOnUpdate?: boolean;
  /** A PUT without resourceVersion is refused. */
  readonly requireResourceVersionOnUpdate?: boolean;
  /** Objects vanish this long after their last write (events: 3600). */
  readonly ttlSeconds?: number;

  /** Defaults beyond the schema's static ones; runs after them, on create, update and on reading the request body. */
  default?(object: Draft<T>): void;
  /** Resets what a client may not set at creation (status is reset for kinds with a status subresource before this). */
  prepareForCreate?(object: Draft<T>): void;
  /** Carries over what a client may not change (status is carried over before this). */
  prepareForUpdate?(object: Draft<T>, old: T): void;
  /** Semantic validation; types and required fields have been checked. On an update, `old` is what is replaced. */
  validate?(object: T, old?: T): FieldError[];
  /** What only a creation refuses; runs after `validate`. */
  validateCreate?(object: T): FieldError[];
  /** Immutability and transitions; `validate` runs too, before it. */
  validateUpdate?(object: T, old: T): FieldError[];
  /**
   * Rules that may take long, after all else was validated, of which `found` is what is wrong; for subresources too.
   * Its `warnings` are for the `Warning` header.
   */
  validateRules?(object: T, old: T | undefined, found: readonly FieldError[]): RuleFindings | Promise<RuleFindings>;
  /** For the `Warning` header. */
  warnings?(object: T, old?: T): string[];

  readonly subresources: {
    /** PUT and PATCH of `/status` change status (and metadata.labels/annotations as upstream does not) only. */
    readonly status?: {
      prepareForUpdate?(object: Draft<T>, old: T): void;
      validateUpdate?(object: T, old: T): FieldError[];
      /** For the `Warning` header of such a write. */
      warnings?(object: T, old: T): string[];
    };
    readonly scale?: ScaleDefinition<T>;
    /** Other subresources by name, for discovery: kind (with group and version if foreign) and verbs. Handlers live in the API server. */
    readonly others?: readonly SubresourceDefinition[];
  };

  /** Pods: how long a deletion waits. `undefined`: deletes at once. 0 in the result: deletes at once. */
  gracePeriod?(object: T, requested: number | undefined): number | undefined;
  /** Finalizers aside, what a new object of the kind carries (PV protection is admission's, not here). */
  readonly columns: readonly PrinterColumn<T>[];
  /** What tables say of the object's row beside its cells. */
  rowConditions?(object: T): readonly RowCondition[];
  /** Field selectors beyond `metadata.name` and `metadata.namespace`, for list, watch and indexes. */
  readonly selectableFields: Readonly<Record<string, (object: T) => string>>;
  /** Extra indexes of the watch cache, by selectable field name (`spec.nodeName`). */
  readonly indexedFields?: readonly string[];
}

/**
 * Makes of JSON data what the kind can hold: drops fields that its schema does not know and nulls that it does not allow.
 * Returns what was dropped as `unknown field "spec.foo"`. Throws an Error with the decoder's words for data that is of no use.
 */
export type ObjectDecoding = (object: Draft<UnstructuredObject>) => string[];

export type NameFormat =
  | 'dns1123Subdomain'
  | 'dns1123Label'
  | 'dns1035Label'
  | 'path'
  | { validate(name: string, prefix: boolean): string[] };

export interface SubresourceDefinition {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly Verb[];
}

export interface ScaleDefinition<T> {
  getReplicas(object: T): number | undefined;
  setReplicas(object: Draft<T>, replicas: number): void;
  statusReplicas(object: T): number;
  /** Serialized label selector of its pods. */
  selector(object: T): string;
  /** The path used in managed fields and CRDs: `.spec.replicas`. */
  readonly specPath: string;
  /** The version of the Scale kind served: `autoscaling/v1`. */
  readonly version: string;
}

/** A column of `kubectl get`. `Age` columns hold a timestamp and are rendered by `value` as a duration since it. */
export interface PrinterColumn<T> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number;
  value(object: T, now: number): string | number | boolean | null;
}

/** `Completed`: the object is done, and of little interest from now on. */
export interface RowCondition {
  readonly type: 'Completed';
  readonly status: 'True';
  readonly reason: string;
  readonly message: string;
}

/** The kinds a server serves, built-in and from CRDs. Lookups are by group and plural resource, or by kind. */
export interface KindRegistry {
  byResource(group: string, version: string, resource: string): KindDefinition | undefined;
  byKind(group: string, version: string, kind: string): KindDefinition | undefined;
  all(): readonly KindDefinition[];
  add(definition: KindDefinition): void;
  remove(group: string, version: string, resource: string): void;
  /** Called after each add or remove; returns the unsubscription. */
  onChange(listener: () => void): () => void;
}
