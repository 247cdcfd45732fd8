import type { APIService, APIServiceCondition } from '../../api/types/apiregistration.v1.gen.ts';
import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { DiscoveredResource } from '../discovery/discovery-documents.ts';
import type { ObjectReader } from '../object-reader.ts';
import { type Availability, checkAvailability } from './availability-check.ts';
import type { RemoteApiService, RemoteApiServices } from './remote-api-services.ts';
import type { RemoteBackends } from './remote-backends.ts';
import { discoveredResources } from './remote-discovery.ts';

export interface AvailabilityControllerOptions {
  readonly services: RemoteApiServices;
  readonly reader: ObjectReader;
  readonly backends: RemoteBackends;
  /** May write the status of APIServices. */
  readonly transport: Transport;
  readonly logger: Logger;
  /** Unix time in ms. */
  readonly now: () => number;
  /** What an APIService serves is known, or is another than before. */
  readonly onResources: () => void;
}

interface Tracked {
  timer?: NodeJS.Timeout;
  running: boolean;
  /** Something happened while it was being checked. */
  again: boolean;
  failures: number;
  resources?: readonly DiscoveredResource[];
}

const RECHECK_MS = 30_000;
const FIRST_RETRY_MS = 100;
/** Changes that come together are one check. */
const GATHER_MS = 5;

/** Keeps the `Available` condition of remote APIServices true to what their servers do. */
export class AvailabilityController {
  readonly #options: AvailabilityControllerOptions;
  readonly #tracked = new Map<string, Tracked>();
  #unsubscribe: (() => void) | undefined;
  #stopped = false;

  constructor(options: AvailabilityControllerOptions) {
    this.#options = options;
  }

  start(): void {
    const { reader } = this.#options;
    const ofService = (namespace: string | undefined, name: string | undefined) => {
      for (const { metadata, spec } of this.#options.services.all())
        if (spec.service.name === name && spec.service.namespace === namespace) this.check(metadata.name);
    };
    const service = ({ metadata }: Service) => ofService(metadata.namespace, metadata.name);
    const slice = ({ metadata }: EndpointSlice) =>
      ofService(metadata.namespace, metadata.labels?.['kubernetes.io/service-name']);
    const ends = [
      reader.subscribe<Service>(['services'], { upsert: service, remove: service }),
      reader.subscribe<EndpointSlice>(['endpointslices.discovery.k8s.io'], { upsert: slice, remove: slice }),
    ];
    this.#unsubscribe = () => {
      for (const end of ends) end();
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
    for (const { timer } of this.#tracked.values()) clearTimeout(timer);
  }

  /** What it last said that it serves; undefined until it has. */
  resourcesOf(name: string): readonly DiscoveredResource[] | undefined {
    return this.#tracked.get(name)?.resources;
  }

  /** Soon, whatever was planned. */
  check(name: string): void {
    let tracked = this.#tracked.get(name);
    if (!tracked) {
      tracked = { running: false, again: false, failures: 0 };
      this.#tracked.set(name, tracked);
    }
    if (tracked.running) tracked.again = true;
    else this.#plan(name, tracked, GATHER_MS);
  }

  forget(name: string): void {
    clearTimeout(this.#tracked.get(name)?.timer);
    this.#tracked.delete(name);
  }

  #plan(name: string, tracked: Tracked, ms: number): void {
    clearTimeout(tracked.timer);
    if (this.#stopped || this.#tracked.get(name) !== tracked) return;
    tracked.timer = setTimeout(() => this.#run(name, tracked), ms);
    tracked.timer.unref();
  }

  async #run(name: string, tracked: Tracked): Promise<void> {
    const { services, reader, backends, logger } = this.#options;
    const service = services.byName(name);
    if (!service) return;
    tracked.running = true;
    tracked.again = false;
    let failed = false;
    try {
      const availability = await checkAvailability(service, reader, backends);
      if (this.#stopped || this.#tracked.get(name) !== tracked) return;
      failed = availability.condition.reason === 'FailedDiscoveryCheck';
      this.#learn(service, tracked, availability);
      await this.#report(service, availability);
    } catch (error) {
      failed = true;
      if (!this.#stopped)
        logger.warn({ err: error, apiService: name }, 'the availability of an APIService was not recorded');
    } finally {
      tracked.running = false;
      tracked.failures = failed ? tracked.failures + 1 : 0;
      const backoff = failed ? Math.min(FIRST_RETRY_MS * 2 ** (tracked.failures - 1), RECHECK_MS) : RECHECK_MS;
      this.#plan(name, tracked, tracked.again ? GATHER_MS : backoff);
    }
  }

  #learn({ spec }: RemoteApiService, tracked: Tracked, { resources }: Availability): void {
    if (!resources) return;
    const discovered = discoveredResources(spec.group, spec.version, resources);
    if (deepEqual(discovered, tracked.resources)) return;
    tracked.resources = discovered;
    this.#options.onResources();
  }

  async #report(service: RemoteApiService, { condition }: Availability): Promise<void> {
    const current = this.#options.services.byName(service.metadata.name);
    if (!current || current.metadata.uid !== service.metadata.uid) return;
    const conditions = current.status?.conditions ?? [];
    const known = conditions.find(({ type }) => type === 'Available');
    const { status, reason, message } = condition;
    if (known?.status === status && known.reason === reason && known.message === message) return;
    const now = new Date(this.#options.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const updated: APIServiceCondition = {
      type: 'Available',
      ...condition,
      lastTransitionTime: known?.status === status && known.lastTransitionTime ? known.lastTransitionTime : now,
    };
    const body: APIService = {
      ...current,
      status: { ...current.status, conditions: [...conditions.filter(({ type }) => type !== 'Available'), updated] },
    };
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/${service.metadata.name}/status`;
    await this.#options.transport.request({ method: 'PUT', path, body }).catch((error: unknown) => {
      // A newer one is on its way here, and is checked by itself when that matters.
      if (isStatusError(error, 'Conflict')) this.check(service.metadata.name);
      else if (!isStatusError(error, 'NotFound')) throw error;
    });
  }
}
