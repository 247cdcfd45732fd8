import type { APIService, APIServiceSpec, ServiceReference } from '../../api/types/apiregistration.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { ObjectReader } from '../object-reader.ts';

/** An APIService whose group and version a Service serves. */
export type RemoteApiService = APIService & {
  readonly spec: APIServiceSpec & {
    readonly group: string;
    readonly version: string;
    readonly service: Required<ServiceReference>;
  };
};

export interface RemoteApiServiceListener {
  /** One came, or what it says of its server changed. */
  changed(service: RemoteApiService): void;
  /** Its condition changed, and nothing else. */
  updated(service: RemoteApiService): void;
  removed(service: RemoteApiService): void;
}

export const API_SERVICES = 'apiservices.apiregistration.k8s.io';

/** The APIServices that other servers stand behind, by the group and version they serve. */
export class RemoteApiServices {
  readonly #byGroupVersion = new Map<string, RemoteApiService>();
  readonly #reader: ObjectReader;

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  get size(): number {
    return this.#byGroupVersion.size;
  }

  get(group: string, version: string): RemoteApiService | undefined {
    return this.#byGroupVersion.get(`${group}/${version}`);
  }

  byName(name: string): RemoteApiService | undefined {
    const dot = name.indexOf('.');
    return this.get(name.slice(dot + 1), name.slice(0, dot));
  }

  all(): IterableIterator<RemoteApiService> {
    return this.#byGroupVersion.values();
  }

  /** Follows the stored objects until the result is called. */
  follow(listener: RemoteApiServiceListener): () => void {
    const remove = (service: RemoteApiService) => {
      this.#byGroupVersion.delete(keyOf(service));
      listener.removed(service);
    };
    return this.#reader.subscribe<APIService>([API_SERVICES], {
      upsert: (service) => {
        const known = this.byName(service.metadata.name);
        if (!isRemote(service)) {
          if (known) remove(known);
          return;
        }
        this.#byGroupVersion.set(keyOf(service), service);
        if (known && known.metadata.uid === service.metadata.uid && deepEqual(known.spec, service.spec))
          listener.updated(service);
        else listener.changed(service);
      },
      remove: (service) => {
        const known = this.byName(service.metadata.name);
        if (known) remove(known);
      },
    });
  }
}

export function isAvailable({ status }: APIService): boolean {
  return status?.conditions?.find(({ type }) => type === 'Available')?.status === 'True';
}

/** The core group stays with this server. */
function isRemote(service: APIService): service is RemoteApiService {
  return service.spec.service !== undefined && Boolean(service.spec.group);
}

const keyOf = ({ spec }: RemoteApiService) => `${spec.group}/${spec.version}`;
