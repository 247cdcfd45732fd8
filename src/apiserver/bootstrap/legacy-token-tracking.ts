import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { BootstrapStep } from './bootstrap-objects.ts';
import { ensure } from './ensure-objects.ts';

const COLLECTION = '/api/v1/namespaces/kube-system/configmaps';
const NAME = 'kube-apiserver-legacy-service-account-token-tracking';

/** Tells since which day Secrets say when their ServiceAccount token was used last. */
export const legacyTokenTracking: BootstrapStep = {
  name: 'start-legacy-token-tracking-controller',
  async run(transport) {
    const data = { since: new Date().toISOString().slice(0, 10) };
    await ensure(transport, COLLECTION, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME }, data });
  },
};

/** Notes in a Secret that its token is used today. Somebody else may have deleted it meanwhile. */
export async function noteTokenUse(
  transport: Transport,
  secret: { readonly namespace: string; readonly name: string; readonly uid: string },
  day: string,
): Promise<void> {
  const labels = { 'kubernetes.io/legacy-token-last-used': day };
  const path = `/api/v1/namespaces/${secret.namespace}/secrets/${secret.name}`;
  await transport
    .request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: secret.uid, labels } },
    })
    .catch((error) => {
      if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
    });
}
