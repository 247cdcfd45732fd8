import type { KindDefinition, KindRegistry } from '../../../api/kind.ts';
import type { IPAddress } from '../../../api/types/networking.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { Logger } from '../../../apimachinery/logger.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { trackManagedFields } from '../managed-fields.ts';
import { setSystemFields } from '../object-metadata.ts';
import type { ObjectStorage } from '../object-storage.ts';
import { timestamp } from '../registry-services.ts';

const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const MANAGER = 'ipallocator.k8s.io';
const FAMILY = 'ipaddress.kubernetes.io/ip-family';

export interface IPAddressObjectsOptions {
  readonly kinds: KindRegistry;
  readonly storage: ObjectStorage;
  readonly logger: Logger;
  /** Unix time in ms. */
  now(): number;
}

/** `namespace/name` of the Service that an IPAddress belongs to; undefined for one of anything else. */
export function serviceOf({ spec }: IPAddress): string | undefined {
  const parent = spec?.parentRef;
  return parent?.resource === 'services' && !parent.group ? `${parent.namespace ?? ''}/${parent.name}` : undefined;
}

/** The IPAddress objects of cluster IPs: there before the Service is, gone soon after it. */
export class IPAddressObjects {
  readonly #options: IPAddressObjectsOptions;

  constructor(options: IPAddressObjectsOptions) {
    this.#options = options;
  }

  /** Resolves with false when the address is somebody else's. */
  async create(address: string, owner: string): Promise<boolean> {
    const { storage, now } = this.#options;
    const definition = this.#definition();
    if (!definition) return true;
    const [namespace = '', name = ''] = owner.split('/');
    const object = draft({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: {
        name: address,
        labels: { [FAMILY]: address.includes(':') ? 'IPv6' : 'IPv4', [MANAGED_BY]: MANAGER },
      },
      spec: { parentRef: { resource: 'services', namespace, name } },
    });
    setSystemFields(object, timestamp(now()));
    const tracked = trackManagedFields(
      this.#options,
      definition,
      object as unknown as Draft<UnstructuredObject>,
      undefined,
      'kube-apiserver',
    );
    try {
      await storage.create(definition, tracked as unknown as UnstructuredObject);
      return true;
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
      const present = await storage.get(definition, '', address);
      return present !== undefined && serviceOf(present.object as unknown as IPAddress) === owner;
    }
  }

  /** Deletes the object if it is `owner`'s; a failure is logged, and made good at the next start. */
  async delete(address: string, owner: string): Promise<void> {
    const { storage, logger } = this.#options;
    const definition = this.#definition();
    if (!definition) return;
    try {
      for (;;) {
        const present = await storage.get(definition, '', address);
        if (!present || serviceOf(present.object as unknown as IPAddress) !== owner) return;
        if ((await storage.delete(definition, present)).written) return;
      }
    } catch (error) {
      logger.warn({ address, error }, 'an IPAddress could not be deleted');
    }
  }

  /** Whether the server made it, and not a user. */
  isManaged({ metadata }: IPAddress): boolean {
    return metadata.labels?.[MANAGED_BY] === MANAGER;
  }

  #definition(): KindDefinition | undefined {
    return this.#options.kinds.byResource('networking.k8s.io', 'v1', 'ipaddresses');
  }
}
