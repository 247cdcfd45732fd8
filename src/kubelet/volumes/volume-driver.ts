import type { PersistentVolume, Pod, Volume } from '../../api/types/core.v1.gen.ts';

/** A pod's volume with what it resolved to. */
export interface VolumeSpec {
  /** As `volumeMounts` name it. */
  readonly name: string;
  readonly volume: Volume;
  /** Of a persistentVolumeClaim. */
  readonly persistentVolume?: PersistentVolume;
  readonly readOnly: boolean;
}

export interface VolumeContext {
  readonly pod: Pod;
  readonly spec: VolumeSpec;
  /** The driver's own directory for this volume: `<pods>/<uid>/volumes/<driver>/<volume>`. It makes it and removes it. */
  readonly path: string;
  /** Group that owns the files, if the pod asks for one. */
  readonly fsGroup: number | undefined;
  readonly signal: AbortSignal;
}

/** One kind of volume. Errors become FailedMount events: `MountVolume.SetUp failed for volume "x" : <message>`. */
export interface VolumeDriver {
  /** As in upstream's paths and metrics: `kubernetes.io/configmap`. */
  readonly name: string;
  supports(spec: VolumeSpec): boolean;
  /** Whether `setUp` runs again while the pod lives, to bring changes of the source in. */
  readonly refreshes: boolean;
  /** Makes the volume available and returns what to mount into containers. Idempotent. */
  setUp(context: VolumeContext): Promise<string>;
  /** Undoes it; also for volumes of pods that are not known any more, so it gets the path alone. Idempotent. */
  tearDown(path: string): Promise<void>;
}

/** Directory names have no slash: `kubernetes.io/configmap` is `kubernetes.io~configmap`. */
export const escapeDriverName = (name: string) => name.replaceAll('/', '~');
export const unescapeDriverName = (name: string) => name.replaceAll('~', '/');
