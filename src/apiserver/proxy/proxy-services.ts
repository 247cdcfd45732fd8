import type { ObjectReader } from '../object-reader.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import type { KubeletCredentials } from './kubelet-endpoint.ts';

/** What the proxying handlers work with. */
export interface ProxyServices {
  readonly reader: ObjectReader;
  readonly services: RegistryServices;
  /** Read at every connection, for certificates are renewed. */
  kubelet(): KubeletCredentials;
}
