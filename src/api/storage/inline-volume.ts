import { FieldError, FieldPath, forbiddenField, required } from '../../apimachinery/field.ts';
import { validateAccessModes } from '../core/claim-spec.ts';
import { validateSources } from '../core/persistent-volume-sources.ts';
import type { PersistentVolumeSpec } from '../types/core.v1.gen.ts';

const path = FieldPath.of('spec', 'source', 'inlineVolumeSpec');
const notHere = 'may not be specified in the context of inline volumes';

/** A volume that an attachment has in itself, made from one of a pod: only what leads to its bytes may be said of it. */
export function validateInlineVolume(volume: PersistentVolumeSpec): FieldError[] {
  const refused = (field: keyof PersistentVolumeSpec, present = Boolean(volume[field])) =>
    present ? [forbiddenField(path.child(field), notHere)] : [];
  return [
    ...refused('claimRef'),
    ...refused('capacity', Object.keys(volume.capacity ?? {}).length > 0),
    ...(volume.csi ? [] : [required(path.child('csi'), 'has to be specified in the context of inline volumes')]),
    ...(volume.accessModes?.length ? [] : [required(path.child('accessModes'))]),
    ...validateAccessModes(volume.accessModes, path.child('accessModes')),
    ...refused('persistentVolumeReclaimPolicy'),
    ...refused('nodeAffinity'),
    // Told as of the spec of a volume of its own.
    ...validateSources(volume, '').map(
      ({ type, field, body }) => new FieldError(type, field.replace(/^spec/, path.toString()), body),
    ),
    ...refused('storageClassName'),
    ...refused('volumeMode', volume.volumeMode !== undefined),
    ...refused('volumeAttributesClassName', volume.volumeAttributesClassName !== undefined),
  ];
}
