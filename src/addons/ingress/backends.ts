import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import type { Informer } from '../../client/informer.ts';
import type { RouteTarget } from './routes.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

/** Picks endpoints of a Service port in turn. */
export class Backends {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  #turn = 0;

  constructor(services: Informer<Service>, slices: Informer<EndpointSlice>) {
    this.#services = services;
    this.#slices = slices;
    slices.addIndex('service', (slice) => {
      const name = slice.metadata.labels?.[SERVICE_NAME];
      return name ? [`${slice.metadata.namespace}/${name}`] : [];
    });
  }

  /** `http://ip:port` of ready endpoints, the next in turn first; empty when there is none. */
  originsOf(target: RouteTarget): string[] {
    const key = `${target.namespace}/${target.service}`;
    const port = this.#services
      .get(key)
      ?.spec.ports?.find((candidate) => candidate.name === target.port || candidate.port === target.port);
    if (!port) return [];
    const origins: string[] = [];
    for (const slice of this.#slices.byIndex('service', key)) {
      const number = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))?.port;
      if (number === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const [address] = endpoint.addresses;
        if (endpoint.conditions?.ready !== false && address)
          origins.push(`http://${address.includes(':') ? `[${address}]` : address}:${number}`);
      }
    }
    const at = origins.length ? this.#turn++ % origins.length : 0;
    return [...origins.slice(at), ...origins.slice(0, at)];
  }
}
