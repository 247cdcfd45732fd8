import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { BootstrapStep } from '../bootstrap/bootstrap-objects.ts';
import { type DefaultConfiguration, defaultConfiguration } from './default-configuration.ts';

const AUTO_UPDATE = 'apf.kubernetes.io/autoupdate-spec';
const GROUP_VERSION = 'flowcontrol.apiserver.k8s.io/v1';

/** Mandatory objects are put back as they must be; suggested ones follow unless an operator took them over. */
export const flowControlConfiguration: BootstrapStep = {
  name: 'priority-and-fairness-config-producer',
  async run(transport) {
    for (const wanted of defaultConfiguration()) await ensureConfiguration(transport, wanted);
  },
};

async function ensureConfiguration(transport: Transport, wanted: DefaultConfiguration): Promise<void> {
  const { kind, name, spec, mandatory } = wanted;
  const collection = `/apis/${GROUP_VERSION}/${kind === 'FlowSchema' ? 'flowschemas' : 'prioritylevelconfigurations'}`;
  const metadata = { name, annotations: { [AUTO_UPDATE]: 'true' } };
  try {
    await transport.request({
      method: 'POST',
      path: collection,
      body: { apiVersion: GROUP_VERSION, kind, metadata, spec },
    });
    return;
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
  const path = `${collection}/${name}`;
  const { body } = await transport.request<UnstructuredObject & { spec?: object }>({ method: 'GET', path });
  const annotation = body.metadata.annotations?.[AUTO_UPDATE];
  // Without the annotation the first generation tells that nobody has changed it.
  const ours = mandatory || annotation === 'true' || (annotation === undefined && body.metadata.generation === 1);
  if (!ours || (deepEqual(body.spec, spec) && annotation === 'true')) return;
  const annotations = { ...body.metadata.annotations, [AUTO_UPDATE]: 'true' };
  await transport.request({
    method: 'PUT',
    path,
    body: { ...body, metadata: { ...body.metadata, annotations }, spec },
  });
}
