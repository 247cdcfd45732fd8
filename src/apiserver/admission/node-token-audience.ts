import type { Pod, Volume } from '../../api/types/core.v1.gen.ts';
import type { AdmissionAttributes } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { quote } from './rejection.ts';

/**
 * Why a node gets no token for these audiences; undefined when it does: one of its pods mounts such a token, or a CSI driver
 * of one asks for it, or the node is allowed to ask for that audience.
 */
export async function refusedAudience(
  { user, namespace, name }: AdmissionAttributes,
  pod: Pod,
  audiences: readonly string[],
  lookup: AdmissionLookup,
  authorizer: Authorizer,
): Promise<string | undefined> {
  const [audience = '', ...more] = audiences;
  if (more.length) return 'node may only request 0 or 1 audiences';
  for (const volume of pod.spec.volumes ?? []) if (await mentions(volume, audience, pod, lookup)) return undefined;
  const { decision } = await authorizer.authorize({
    user,
    verb: 'request-serviceaccounts-token-audience',
    resourceRequest: true,
    group: '',
    version: 'v1',
    resource: audience,
    subresource: '',
    namespace,
    name,
    path: '',
  });
  if (decision === 'allow') return undefined;
  return `audience ${quote(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`;
}

async function mentions(volume: Volume, audience: string, pod: Pod, lookup: AdmissionLookup): Promise<boolean> {
  for (const { serviceAccountToken } of volume.projected?.sources ?? [])
    if (serviceAccountToken && (serviceAccountToken.audience ?? '') === audience) return true;
  const claimName = volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : volume.persistentVolumeClaim?.claimName;
  const driverName = claimName ? await driverOf(claimName, pod, lookup) : volume.csi?.driver;
  if (!driverName) return false;
  const driver = await find(lookup, 'csidrivers', driverName);
  return driver?.spec.tokenRequests?.some((request) => request.audience === audience) ?? false;
}

async function driverOf(claimName: string, pod: Pod, lookup: AdmissionLookup): Promise<string | undefined> {
  const claim = await find(lookup, 'persistentvolumeclaims', claimName, pod.metadata.namespace);
  const volume = claim?.spec.volumeName ? await find(lookup, 'persistentvolumes', claim.spec.volumeName) : undefined;
  return volume?.spec.csi?.driver;
}
