/** How volumes and claims are printed. */

const shortModes: readonly (readonly [mode: string, short: string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

/** `RWO,RWX`: each mode once, in a fixed order. */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  return shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

interface Classed {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly storageClassName?: string };
}

/** Where a storage class was once named. */
export const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** The storage class of a volume or a claim; an old annotation goes first. Empty when there is none. */
export function storageClassOf({ metadata, spec }: Classed): string {
  return metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? '';
}
