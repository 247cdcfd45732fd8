import type { ObjectDecoding } from '../../api/kind.ts';
import { decodeJson, decodeYaml } from '../../apimachinery/decode.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { findDuplicateKeys } from '../../apimachinery/json-scanner.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import type { Schema } from '../../apimachinery/schema.ts';
import { badRequest, isStatusError, unsupportedMediaType } from '../../apimachinery/status-error.ts';
import {
  applyDefaults,
  canonicalize,
  checkTypes,
  dropUnknownFields,
  findUnknownFields,
} from '../../apimachinery/typecheck.ts';
import type { RequestBody, RequestContext } from '../request/request-context.ts';
import type { FieldValidation } from '../request/write-options.ts';
import { fillZeroValues } from './zero-values.ts';

export const BODY_MEDIA_TYPES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
] as const;

/** What an object is decoded as: a kind and its schema. */
export interface DecodeTarget {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
  /** A part of an object: what is absent stays absent. */
  readonly partial?: boolean;
  readonly decoding?: ObjectDecoding;
  default?(object: Draft<UnstructuredObject>): void;
}

export interface DecodedValue {
  /** Private to the caller. */
  readonly value: unknown;
  readonly duplicateFields: readonly string[];
}

/** The body as JSON data, by its media type. */
export function decodeBody(body: RequestBody, duplicates: boolean): DecodedValue {
  if ('object' in body) return { value: body.owned ? body.object : draft(body.object), duplicateFields: [] };
  const mediaType = mediaTypeOf(body.contentType);
  if (mediaType === '' || mediaType === 'application/json') return decodeJson(body.bytes, { duplicates });
  if (mediaType === 'application/yaml') return decodeYaml(body.bytes, { duplicates });
  throw unsupportedMediaType(BODY_MEDIA_TYPES);
}

/** As `decodeBody`; a body that can't be read is told of with what it has to be and how it begins. */
function decodeUnrecognized(body: RequestBody, kind: string, duplicates: boolean): DecodedValue {
  try {
    return decodeBody(body, duplicates);
  } catch (error) {
    if (!isStatusError(error, 'BadRequest') || 'object' in body) throw error;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): ${error.message} (${summary(body.bytes)})`,
    );
  }
}

const SUMMARY_BYTES = 30;

/** The beginning of a body: as text if it looks like JSON, in hexadecimal otherwise. */
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = Buffer.from(bytes.subarray(0, SUMMARY_BYTES));
  return `${head.toString(head[0] === 0x7b ? 'utf8' : 'hex')}${bytes.length > SUMMARY_BYTES ? ' ...' : ''}`;
}

export function mediaTypeOf(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** Reads the object of a POST or PUT: decoded, of the right kind and types, with defaults. */
export async function readObject(
  context: RequestContext,
  definition: DecodeTarget,
  fieldValidation: FieldValidation,
): Promise<Draft<UnstructuredObject>> {
  const body = await context.readBody();
  const { value, duplicateFields } = decodeUnrecognized(body, definition.kind, fieldValidation !== 'Ignore');
  const problems = duplicateFields.length ? inTextOrder(body, definition, duplicateFields) : duplicateFields;
  return decodeObject(value, definition, fieldValidation, problems, context.warnings);
}

/** A kind with Go types is decoded in one go: what is unknown and what is there twice is told as it comes. */
function inTextOrder(body: RequestBody, target: DecodeTarget, duplicateFields: readonly string[]): readonly string[] {
  if (target.decoding || !('bytes' in body) || !['', 'application/json'].includes(mediaTypeOf(body.contentType)))
    return duplicateFields;
  return findDuplicateKeys(Buffer.from(body.bytes).toString('utf8'), target.schema);
}

/** `value` becomes the object: it is changed in place. */
export function decodeObject(
  value: unknown,
  target: DecodeTarget,
  fieldValidation: FieldValidation,
  duplicateFields: readonly string[],
  warnings: string[],
): Draft<UnstructuredObject> {
  const object = ofKind(value, target);
  const unknown = target.decoding ? decodeCustom(object, target, target.decoding) : decodeTyped(object, target);
  if (unknown.length || duplicateFields.length) {
    const problems = [...new Set([...duplicateFields, ...unknown])];
    if (fieldValidation === 'Strict') throw cannotHandle(target, `strict decoding error: ${problems.join(', ')}`);
    if (fieldValidation === 'Warn') warnings.push(...problems);
  }
  if (!target.partial) completeObject(object, target);
  return object;
}

/** Returns the unknown fields, which are no more in the object. */
function decodeTyped(object: Draft<UnstructuredObject>, target: DecodeTarget): string[] {
  const { schema } = target;
  const [mismatch] = checkTypes(object, schema);
  if (mismatch) throw cannotHandle(target, mismatch.message);
  const unknown = findUnknownFields(object, schema);
  if (unknown.length) dropUnknownFields(object, schema);
  // What an applier lists as empty it owns, though an object is stored without it.
  canonicalize(object, schema, { keepEmpty: target.partial === true });
  return unknown;
}

function decodeCustom(object: Draft<UnstructuredObject>, target: DecodeTarget, decoding: ObjectDecoding): string[] {
  try {
    return decoding(object);
  } catch (error) {
    throw cannotHandle(target, (error as Error).message);
  }
}

/** Fills in what an absent field means. */
export function completeObject(object: Draft<UnstructuredObject>, target: DecodeTarget): void {
  fillZeroValues(object, target.schema);
  applyDefaults(object, target.schema);
  target.default?.(object);
}

function cannotHandle({ kind, version }: DecodeTarget, why: string) {
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`);
}

function ofKind(value: unknown, target: DecodeTarget): Draft<UnstructuredObject> {
  const { group, version, kind } = target;
  const expected = apiVersionOf(group, version);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  const object = value as Record<string, unknown>;
  // Absent means what the path says.
  const apiVersion = object.apiVersion ?? expected;
  const givenKind = object.kind ?? kind;
  if (givenKind !== kind)
    throw badRequest(
      `${givenKind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: converting (${version}.${givenKind}) to (${internalPackage(group)}.${kind}): unknown conversion`,
    );
  if (apiVersion !== expected)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  object.apiVersion = apiVersion;
  object.kind = kind;
  object.metadata ??= {};
  return object as unknown as Draft<UnstructuredObject>;
}

/** Where Kubernetes keeps the version that all others of a group convert to. */
function internalPackage(group: string): string {
  return group === '' ? 'core' : group.slice(0, group.includes('.') ? group.indexOf('.') : undefined);
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : value === null ? 'null' : typeof value;
}
