import type { JSONValue } from './json.ts';

/**
 * The shape of a value: one vocabulary for built-in types (from the facts tables) and for CRDs (from their
 * structural schema). Type checks, unknown fields, defaults, strategic merge, server-side apply and OpenAPI all read it.
 */
export interface Schema {
  readonly type: SchemaType;
  /** OpenAPI definition name of a named type, e.g. `io.k8s.api.core.v1.PodSpec`; anonymous otherwise. */
  readonly name?: string;
  /** Set on kinds: served as `x-kubernetes-group-version-kind`. */
  readonly gvk?: { readonly group: string; readonly version: string; readonly kind: string };
  /** `object`: its fields. Lazy, for types may be recursive; stable after the first call. */
  readonly fields?: () => ReadonlyMap<string, FieldSchema>;
  /** `list`: of items. `map`: of values (keys are strings). Also `object` with additionalProperties (CRDs). */
  readonly items?: () => Schema;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  /** `atomic`: server-side apply treats the whole map or struct as one value. */
  readonly mapType?: 'atomic' | 'granular';
  /** Strategic merge patch, as `patchStrategy` and `patchMergeKey` of Kubernetes' types. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly nullable?: boolean;
  /** CRD: keep fields the schema does not name. */
  readonly preserveUnknownFields?: boolean;
  /** CRD: the value is a whole Kubernetes object; its apiVersion, kind and metadata are checked. */
  readonly embeddedResource?: boolean;
  /** CRD: the JSON schema constraints (enum, pattern, minimum, oneOf, x-kubernetes-validations, ...) as written. */
  readonly constraints?: JSONSchemaConstraints;
}

export type SchemaType =
  | 'object'
  | 'map'
  | 'list'
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'integer'
  | 'double'
  | 'bytes'
  | 'time'
  | 'microTime'
  | 'quantity'
  | 'intOrString'
  /** Any JSON object (RawExtension, FieldsV1, `object`). */
  | 'rawObject'
  /** Any JSON value. */
  | 'any';

export interface FieldSchema {
  readonly schema: Schema;
  readonly required?: boolean;
  /** An optional scalar whose zero (`''`, `0`, `false`) means nothing and is left out. */
  readonly omitsZero?: boolean;
  /** An optional struct that is written out as `{}` rather than left out. */
  readonly written?: boolean;
  readonly default?: JSONValue;
}

/** The value-validation part of a JSON schema, in its own words. */
export interface JSONSchemaConstraints {
  readonly [keyword: string]: JSONValue | undefined;
}
