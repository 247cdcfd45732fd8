import protobufjs from 'protobufjs/minimal.js';

/** What a KMS v2 provider stores: `EncryptedObject` of Kubernetes' kmsv2 `api.proto`. */
export interface EncryptedObject {
  readonly encryptedData: Uint8Array;
  readonly keyId: string;
  readonly encryptedDekSource: Uint8Array;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
  readonly sourceType: SourceType;
}

/** A key for AES-GCM itself, or a seed that every value's own key is derived from. */
export const SOURCE = { aesGcmKey: 0, hkdfSeed: 1 } as const;
export type SourceType = (typeof SOURCE)[keyof typeof SOURCE];

const MAX_ID_BYTES = 1024;
const MAX_DEK_SOURCE_BYTES = 1024;
const MAX_ANNOTATION_BYTES = 32 * 1024;

export function encodeEncryptedObject(object: EncryptedObject): Uint8Array {
  const writer = protobufjs.Writer.create();
  writer.uint32(0x0a).bytes(object.encryptedData);
  writer.uint32(0x12).string(object.keyId);
  writer.uint32(0x1a).bytes(object.encryptedDekSource);
  for (const name of Object.keys(object.annotations).sort())
    writer.uint32(0x22).fork().uint32(0x0a).string(name).uint32(0x12).bytes(object.annotations[name]!).ldelim();
  if (object.sourceType) writer.uint32(0x28).int32(object.sourceType);
  return writer.finish();
}

/** Throws when it is none, or nothing that a provider may have stored. */
export function decodeEncryptedObject(bytes: Uint8Array): EncryptedObject {
  const reader = protobufjs.Reader.create(bytes);
  let encryptedData: Uint8Array = new Uint8Array();
  let encryptedDekSource: Uint8Array = new Uint8Array();
  let keyId = '';
  let sourceType = 0;
  const annotations: Record<string, Uint8Array> = Object.create(null);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 0x0a) encryptedData = reader.bytes();
    else if (tag === 0x12) keyId = reader.string();
    else if (tag === 0x1a) encryptedDekSource = reader.bytes();
    else if (tag === 0x22) {
      const [name, value] = annotation(reader);
      annotations[name] = value;
    } else if (tag === 0x28) sourceType = reader.int32();
    else reader.skipType(tag & 7);
  }
  if (sourceType !== SOURCE.aesGcmKey && sourceType !== SOURCE.hkdfSeed)
    throw new Error(`unknown encryptedDEKSourceType: ${sourceType}`);
  const object = { encryptedData, keyId, encryptedDekSource, annotations, sourceType } as const;
  if (encryptedData.length === 0) throw new Error('encrypted data is empty');
  checkDekSource(object);
  return object;
}

/** What a plugin answered may be stored. Throws otherwise. */
export function checkDekSource({
  keyId,
  encryptedDekSource,
  annotations,
}: Pick<EncryptedObject, 'keyId' | 'encryptedDekSource' | 'annotations'>): void {
  const size = encryptedDekSource.length;
  if (size === 0) throw new Error('failed to validate encrypted DEK source: encrypted DEK source is empty');
  if (size > MAX_DEK_SOURCE_BYTES)
    throw new Error(
      `failed to validate encrypted DEK source: encrypted DEK source is ${size} bytes, which exceeds the max size of ${MAX_DEK_SOURCE_BYTES}`,
    );
  checkKeyId(keyId);
  let total = 0;
  for (const [name, value] of Object.entries(annotations)) {
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+\.?$/.test(name))
      throw new Error(
        `failed to validate annotations: annotations: Invalid value: ${JSON.stringify(name)}: should be a domain with at least two segments separated by dots`,
      );
    total += Buffer.byteLength(name) + value.length;
  }
  if (total > MAX_ANNOTATION_BYTES)
    throw new Error(
      `failed to validate annotations: total size of annotations is ${total}, which exceeds the max size of ${MAX_ANNOTATION_BYTES}`,
    );
}

export function checkKeyId(keyId: string): void {
  const size = Buffer.byteLength(keyId);
  if (size === 0) throw new Error('failed to validate key id: keyID is empty');
  if (size > MAX_ID_BYTES)
    throw new Error(`failed to validate key id: keyID is ${size} bytes, which exceeds the max size of ${MAX_ID_BYTES}`);
}

function annotation(reader: protobufjs.Reader): [string, Uint8Array] {
  const end = reader.uint32() + reader.pos;
  let name = '';
  let value: Uint8Array = new Uint8Array();
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 0x0a) name = reader.string();
    else if (tag === 0x12) value = reader.bytes();
    else reader.skipType(tag & 7);
  }
  return [name, value];
}
