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
import { mediaTypeOf } from '../request/media-type.ts';
import type { RequestBody, RequestContext } from '../request/request-context.ts';
import type { FieldValidation } from '../request/write-options.ts';
import { fillZeroValues } from './zero-values.ts';

const BODY_MEDIA_TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const;

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
  if (body.undecoded) throw badRequest(body.undecoded.message);
  if (isJson(body.contentType)) return decodeJson(body.bytes, { duplicates });
  if (mediaTypeOf(body.contentType) === 'application/yaml') return decodeYaml(body.bytes, { duplicates });
  throw unsupportedMediaType(BODY_MEDIA_TYPES);
}

/** As `decodeBody`; a body that can't be read is told of with what it has to be and how it begins. */
function decodeUnrecognized(body: RequestBody, target: DecodeTarget, duplicates: boolean): DecodedValue {
  try {
    return decodeBody(body, duplicates);
  } catch (error) {
    if (!isStatusError(error, 'BadRequest') || 'object' in body) throw error;
    const { kind = '', version, message = error.message } = body.undecoded ?? {};
    if (kind)
      throw badRequest(
        `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${target.kind}: ${target.decoding ? WITHOUT_PROTOBUF : message}`,
      );
    throw unrecognized(target, message, body.bytes);
  }
}

const unrecognized = ({ kind }: DecodeTarget, why: string, bytes: Uint8Array) =>
  badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${summary(bytes)})`);

/** Why a custom resource can't be read from protobuf. */
const WITHOUT_PROTOBUF =
  'object *unstructured.Unstructured does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message';

function isJson(contentType: string): boolean {
  const mediaType = mediaTypeOf(contentType);
  return mediaType === '' || mediaType === 'application/json';
}

const SUMMARY_BYTES = 30;

/** The beginning of a body: as text if it looks like JSON, in hexadecimal otherwise. */
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = Buffer.from(bytes.subarray(0, SUMMARY_BYTES));
  return `${head.toString(head[0] === 0x7b ? 'utf8' : 'hex')}${bytes.length > SUMMARY_BYTES ? ' ...' : ''}`;
}

/** Reads the object of a POST or PUT: decoded, of the right kind and types, with defaults. */
export async function readObject(
  context: RequestContext,
  definition: DecodeTarget,
  fieldValidation: FieldValidation,
): Promise<Draft<UnstructuredObject>> {
  const body = await context.readBody();
  const { value, duplicateFields } = decodeUnrecognized(body, definition, fieldValidation !== 'Ignore');
  if ('bytes' in body && isNoObject(value)) throw unrecognized(definition, notAnObject(value), body.bytes);
  const problems = duplicateFields.length ? inTextOrder(body, definition, duplicateFields) : duplicateFields;
  return decodeObject(value ?? {}, definition, fieldValidation, problems, context.warnings);
}

/** A kind with Go types is decoded in one go: what is unknown and what is there twice is told as it comes. */
function inTextOrder(body: RequestBody, target: DecodeTarget, duplicateFields: readonly string[]): readonly string[] {
  if (target.decoding || !('bytes' in body) || !isJson(body.contentType)) return duplicateFields;
  return findDuplicateKeys(Buffer.from(body.bytes).toString('utf8'), target.schema);
}

/** `value` becomes the object: it is changed in place. Throws StatusError 400. */
export function decodeObject(
  value: unknown,
  target: DecodeTarget,
  fieldValidation: FieldValidation,
  duplicateFields: readonly string[],
  warnings: string[],
): Draft<UnstructuredObject> {
  try {
    return decodeValue(value, target, fieldValidation, duplicateFields, warnings);
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    const version = JSON.stringify(target.version);
    throw badRequest(`${error.kind} in version ${version} cannot be handled as a ${target.kind}: ${error.message}`);
  }
}

/** Why a value is no object of the kind: in the words of the decoder, and of the converter (see TypeMismatch). */
export class Undecodable extends Error {
  readonly kind: string;
  readonly conversion: string;

  constructor(kind: string, message: string, conversion = message) {
    super(message);
    this.kind = kind;
    this.conversion = conversion;
  }
}

/** As `decodeObject`, for callers with words of their own: throws Undecodable. */
export function decodeValue(
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
    if (fieldValidation === 'Strict')
      throw new Undecodable(target.kind, `strict decoding error: ${problems.join(', ')}`);
    if (fieldValidation === 'Warn') warnings.push(...problems);
  }
  if (!target.partial) completeObject(object, target);
  return object;
}

/** Returns the unknown fields, which are no more in the object. */
function decodeTyped(object: Draft<UnstructuredObject>, target: DecodeTarget): string[] {
  const { schema } = target;
  const [mismatch] = checkTypes(object, schema);
  if (mismatch) throw new Undecodable(target.kind, mismatch.message, mismatch.conversion);
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
    throw new Undecodable(target.kind, (error as Error).message);
  }
}

/** Fills in what an absent field means. */
export function completeObject(object: Draft<UnstructuredObject>, target: DecodeTarget): void {
  fillZeroValues(object, target.schema);
  applyDefaults(object, target.schema);
  target.default?.(object);
}

const isNoObject = (value: unknown) => typeof value !== 'object' || Array.isArray(value);

const notAnObject = (value: unknown) =>
  `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`;

function ofKind(value: unknown, target: DecodeTarget): Draft<UnstructuredObject> {
  const { group, version, kind } = target;
  const expected = apiVersionOf(group, version);
  if (isNoObject(value) || value === null) throw badRequest(notAnObject(value));
  const object = value as Record<string, unknown>;
  // Absent means what the path says.
  const apiVersion = object.apiVersion ?? expected;
  const givenKind = object.kind ?? kind;
  if (givenKind !== kind)
    throw new Undecodable(
      String(givenKind),
      `converting (${version}.${givenKind}) to (${internalPackage(group)}.${kind}): unknown conversion`,
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
