import type { KubeObject } from '../apimachinery/meta.ts';
import type { PrinterColumn } from './kind.ts';

/** `CREATED AT`, the time itself: what kinds without columns of their own show instead of an age. */
export const createdAtColumn: PrinterColumn<KubeObject> = {
  name: 'Created At',
  type: 'date',
  description: 'Time at which the object was created',
  priority: 0,
  value: (object) => object.metadata.creationTimestamp ?? '<unknown>',
};
