import type { KindDefinition } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import type { APIService, APIServiceSpec } from '../../api/types/apiregistration.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import {
  CUSTOM_GROUP_PRIORITY,
  CUSTOM_VERSION_PRIORITY,
  groupPriority,
  isUpstreamGroup,
  versionPriority,
} from '../discovery/group-order.ts';
import type { ObjectReader } from '../object-reader.ts';
import { API_SERVICES } from './remote-api-services.ts';

export interface LocalApiServicesOptions {
  /** What is served from the start; kinds that CRDs add later are found by their CRDs. */
  readonly kinds: readonly KindDefinition[];
  readonly reader: ObjectReader;
  /** May write APIServices. */
  readonly transport: Transport;
  readonly logger: Logger;
}

const AUTOMANAGED = 'kube-aggregator.kubernetes.io/automanaged';
const COLLECTION = '/apis/apiregistration.k8s.io/v1/apiservices';
/** Nobody in the cluster needs them, so they wait until its boot is over. */
const FIRST_SYNC_MS = 2_000;
const CRD_SYNC_MS = 200;
const WRITES_AT_ONCE = 5;

interface Wanted {
  readonly managed: 'onstart' | 'true';
  readonly spec: APIServiceSpec;
}

/**
 * The APIServices of what this server serves itself. They say nothing that discovery does not, so they are made when
 * somebody first looks at APIServices, or soon after the start: a boot does not wait for some thirty writes.
 */
export class LocalApiServices {
  readonly #options: LocalApiServicesOptions;
  readonly #builtin: ReadonlyMap<string, Wanted>;
  #first: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;
  #stopped = false;
  /** Whether the built-in ones are there. */
  ready = false;

  constructor(options: LocalApiServicesOptions) {
    this.#options = options;
    this.#builtin = builtin(options.kinds);
  }

  start(): void {
    this.#timer = setTimeout(() => this.ensure(), FIRST_SYNC_MS);
    this.#timer.unref();
    const again = () => this.#later();
    const { reader } = this.#options;
    const crds = reader.subscribe(['customresourcedefinitions.apiextensions.k8s.io'], { upsert: again, remove: again });
    const deleted = reader.subscribe<APIService>([API_SERVICES], {
      upsert: () => undefined,
      remove: ({ metadata }) => {
        if (metadata.labels?.[AUTOMANAGED] === 'true') again();
      },
    });
    this.#unsubscribe = () => {
      crds();
      deleted();
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#unsubscribe?.();
    await this.#syncing;
  }

  /** Resolves when they are there. Never rejects: what failed is tried again with the next change. */
  ensure(): Promise<void> {
    clearTimeout(this.#timer);
    this.#first ??= this.#sync(true).then(() => {
      this.ready = true;
    });
    return this.#first;
  }

  #later(): void {
    if (this.#stopped || !this.ready) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sync(false), CRD_SYNC_MS);
    this.#timer.unref();
  }

  #sync(first: boolean): Promise<void> {
    const begun = (this.#syncing ?? Promise.resolve())
      .then(() => this.#reconcile(first))
      .catch((error: unknown) => {
        if (!this.#stopped)
          this.#options.logger.warn({ err: error }, 'the APIServices of local groups were not all written');
      });
    this.#syncing = begun;
    return begun;
  }

  async #reconcile(first: boolean): Promise<void> {
    if (this.#stopped) return;
    const existing = new Map(
      this.#options.reader.list<APIService>(API_SERVICES).map((item) => [item.metadata.name, item]),
    );
    const wanted = new Map([...this.#custom(), ...(first ? this.#builtin : [])]);
    const writes: (() => Promise<unknown>)[] = [];
    for (const [name, { managed, spec }] of wanted) {
      const found = existing.get(name);
      const metadata = { name, labels: { [AUTOMANAGED]: managed } };
      if (!found) writes.push(() => this.#write('POST', COLLECTION, { metadata, spec }));
      else if (found.metadata.labels?.[AUTOMANAGED] === managed && !deepEqual(found.spec, spec))
        writes.push(() => this.#write('PUT', `${COLLECTION}/${name}`, { ...found, spec }));
    }
    for (const [name, { metadata, spec }] of existing) {
      const managed = metadata.labels?.[AUTOMANAGED];
      const ours = !spec.service && (managed === 'true' || (first && managed === 'onstart'));
      if (ours && !wanted.has(name)) writes.push(() => this.#write('DELETE', `${COLLECTION}/${name}`));
    }
    for (let next = 0; next < writes.length; next += WRITES_AT_ONCE) {
      if (this.#stopped) return;
      await Promise.all(writes.slice(next, next + WRITES_AT_ONCE).map((write) => write()));
      await new Promise(setImmediate);
    }
  }

  async #write(method: 'POST' | 'PUT' | 'DELETE', path: string, object?: object): Promise<void> {
    const body = object && { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', ...object };
    await this.#options.transport.request({ method, path, ...(body ? { body } : {}) }).catch((error: unknown) => {
      // Somebody else's hand was quicker.
      if (!['AlreadyExists', 'Conflict', 'NotFound'].some((reason) => isStatusError(error, reason))) throw error;
    });
  }

  #custom(): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    const definitions = this.#options.reader.list<CustomResourceDefinition>(
      'customresourcedefinitions.apiextensions.k8s.io',
    );
    for (const { spec, status } of definitions) {
      if (!status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) continue;
      for (const { name: version, served } of spec.versions) {
        if (!served) continue;
        const priorities = { groupPriorityMinimum: CUSTOM_GROUP_PRIORITY, versionPriority: CUSTOM_VERSION_PRIORITY };
        wanted.set(`${version}.${spec.group}`, {
          managed: 'true',
          spec: { group: spec.group, version, ...priorities },
        });
      }
    }
    return wanted;
  }
}

/** All but this very group: upstream's aggregator does not register itself. */
function builtin(kinds: readonly KindDefinition[]): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { group, version } of kinds) {
    if (group === 'apiregistration.k8s.io') continue;
    wanted.set(`${version}.${group}`, {
      managed: 'onstart',
      spec: {
        ...(group ? { group } : {}),
        version,
        groupPriorityMinimum: groupPriority(group),
        versionPriority: isUpstreamGroup(group) ? versionPriority(group, version) : CUSTOM_VERSION_PRIORITY,
      },
    });
  }
  return wanted;
}
