import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
  tooLong,
} from '../../apimachinery/field.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { internalForm } from '../core/internal-form.ts';
import { defineKind } from '../define.ts';
import { immutableMessage, invalidFor, semanticEqual } from '../field-checks.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type { VolumeAttachment, VolumeAttachmentSpec, VolumeAttachmentStatus } from '../types/storage.v1.gen.ts';
import { validateInlineVolume } from './inline-volume.ts';
import { byteSize, validateCsiDriverName } from './parameters.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');
const maxMetadataBytes = 256 * 1024;
const maxMessageLength = 1024;

export const volumeAttachment = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  requireResourceVersionOnUpdate: true,
  validate: (object) => validateSpec(object.spec ?? {}),
  validateUpdate: (object, old) =>
    semanticEqual(object.spec, old.spec) ? [] : [invalidValue(spec, internalSpec(object.spec), immutableMessage)],
  subresources: {
    status: {
      prepareForUpdate: keepLabelsAndAnnotations,
      validateUpdate: (object) => validateStatus(object.status),
    },
  },
  columns: [
    nameColumn,
    {
      ...column<VolumeAttachment>('Attacher', ({ spec }) => spec.attacher, { description: 'Driver that attaches' }),
      format: 'name',
    },
    column('PV', ({ spec }) => spec.source.persistentVolumeName ?? '', { description: 'Volume to attach' }),
    column('Node', ({ spec }) => spec.nodeName, { description: 'Node to attach it to' }),
    column('Attached', ({ status }) => status?.attached ?? false, { type: 'boolean', description: 'Whether it is' }),
    ageColumn,
  ],
});

/** The spec as errors show it. */
const internalSpec = ({ attacher, source, nodeName }: VolumeAttachmentSpec) => ({
  Attacher: attacher,
  Source: {
    PersistentVolumeName: source?.persistentVolumeName ?? null,
    InlineVolumeSpec: internalForm('', source?.inlineVolumeSpec),
  },
  NodeName: nodeName,
});

function validateSpec({ attacher, nodeName = '', source = {} }: Partial<VolumeAttachmentSpec>): FieldError[] {
  const errors = attacher ? [] : [required(spec.child('attacher'))];
  const { persistentVolumeName, inlineVolumeSpec } = source;
  const path = spec.child('source');
  const exactlyOne = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (!inlineVolumeSpec && persistentVolumeName === undefined) errors.push(required(path, exactlyOne));
  else if (inlineVolumeSpec && persistentVolumeName !== undefined) errors.push(forbiddenField(path, exactlyOne));
  else if (persistentVolumeName === '')
    errors.push(required(path.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'));
  else if (inlineVolumeSpec) errors.push(...validateInlineVolume(inlineVolumeSpec));
  errors.push(...invalidFor(spec.child('nodeName'), nodeName, isDns1123Subdomain(nodeName)));
  if (attacher) errors.push(...validateCsiDriverName(spec.child('attacher'), attacher));
  if (persistentVolumeName !== undefined)
    errors.push(
      ...invalidFor(path.child('persistentVolumeName'), persistentVolumeName, isDns1123Subdomain(persistentVolumeName)),
    );
  return errors;
}

function validateStatus(attachment: VolumeAttachmentStatus | undefined): FieldError[] {
  const errors =
    byteSize(attachment?.attachmentMetadata) > maxMetadataBytes
      ? [tooLong(status.child('attachmentMetadata'), maxMetadataBytes)]
      : [];
  for (const field of ['attachError', 'detachError'] as const) {
    const { message = '', errorCode } = attachment?.[field] ?? {};
    const path = status.child(field);
    // The limit that upstream names is that of the metadata.
    if (message.length > maxMessageLength) errors.push(tooLong(path.child('message'), maxMetadataBytes));
    if (errorCode !== undefined && errorCode < 0)
      errors.push(invalidValue(path.child('errorCode'), errorCode, 'must be between 0 and 2147483647, inclusive'));
  }
  return errors;
}
