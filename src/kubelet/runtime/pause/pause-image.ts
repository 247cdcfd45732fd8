import { CodedError } from '../../../apimachinery/coded-error.ts';
import { type BuiltImage, buildImage } from '../images/image-tar.ts';
import { imageArchitecture } from '../images/oci.ts';
import { pauseExecutable } from './pause-elf.ts';

/** The sandbox image's name. A registry of this name does not exist: the image is made here and imported. */
export const PAUSE_IMAGE = 'k8ts.local/pause:1';

/** The sandbox image for this machine. */
export async function buildPauseImage(): Promise<BuiltImage> {
  const architecture = imageArchitecture();
  if (architecture !== 'amd64' && architecture !== 'arm64') {
    throw new CodedError(
      'ARCHITECTURE_NOT_SUPPORTED',
      `there is no sandbox image for the architecture ${architecture}`,
      'Use --runtime simulated here.',
    );
  }
  return await buildImage({
    ref: PAUSE_IMAGE,
    architecture,
    layers: [[{ path: 'pause', mode: 0o755, content: pauseExecutable(architecture) }]],
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
  });
}
