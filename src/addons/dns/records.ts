import type { Service } from '../../api/types/core.v1.gen.ts';
import type { Endpoint, EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import type { Informer } from '../../client/informer.ts';

/** One resource record without its name's zone knowledge; `data` as dns-packet takes it. */
export interface DnsRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'PTR' | 'TXT' | 'NS' | 'SOA';
  readonly ttl: number;
  readonly data: unknown;
}

export interface Lookup {
  /** False: NXDOMAIN. True without records: the name exists, but has none of that type. */
  readonly exists: boolean;
  readonly records: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

const TTL = 30;
const NOTHING: Lookup = { exists: false, records: [] };
const SERVICE_NAME = 'kubernetes.io/service-name';

export interface ClusterRecordsOptions {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  /** Without a dot at the end: `cluster.local`. */
  readonly domain: string;
}

/** Adds the indexes that `lookup` uses; call before the informers start. */
export function prepareInformers({ services, slices }: Pick<ClusterRecordsOptions, 'services' | 'slices'>): void {
  services.addIndex('ip', (service) => (service.spec.clusterIPs ?? []).filter((ip) => ip !== 'None'));
  slices.addIndex('service', (slice) => {
    const name = slice.metadata.labels?.[SERVICE_NAME];
    return name ? [`${slice.metadata.namespace}/${name}`] : [];
  });
  slices.addIndex('address', (slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
}

/** Names of Services and pods, as "Kubernetes DNS-Based Service Discovery" 1.1.0 gives them. Names are lower case. */
export class ClusterRecords {
  readonly #options: ClusterRecordsOptions;

  constructor(options: ClusterRecordsOptions) {
    this.#options = options;
  }

  /** Whether this server speaks for the name. */
  isAuthoritative(name: string): boolean {
    const { domain } = this.#options;
    return name === domain || name.endsWith(`.${domain}`);
  }

  lookup(name: string, type: string): Lookup {
    const { domain } = this.#options;
    if (name === domain) return this.#apex(name, type);
    const labels = name.slice(0, -domain.length - 1).split('.');
    if (labels.length === 1 && labels[0] === 'dns-version')
      return { exists: true, records: type === 'TXT' ? [record(name, 'TXT', '1.1.0')] : [] };
    if (labels.length === 1 && (labels[0] === 'svc' || labels[0] === 'pod')) return { exists: true, records: [] };
    if (labels.at(-1) === 'svc') return this.#service(name, labels.slice(0, -1).reverse(), type);
    if (labels.at(-1) === 'pod') return podRecords(name, labels.slice(0, -1), type);
    if (name === `ns.dns.${domain}`) return { exists: true, records: [] };
    return NOTHING;
  }

  /** Services by ClusterIP, endpoints of headless Services by address; undefined when the address is not ours. */
  reverse(name: string, type: string): Lookup | undefined {
    const ip = addressOf(name);
    if (!ip) return undefined;
    const { services, slices, domain } = this.#options;
    const service = services.byIndex('ip', ip)[0];
    if (service)
      return {
        exists: true,
        records:
          type === 'PTR'
            ? [record(name, 'PTR', `${service.metadata.name}.${service.metadata.namespace}.svc.${domain}`)]
            : [],
      };
    const records: DnsRecord[] = [];
    for (const slice of slices.byIndex('address', ip)) {
      const owner = slice.metadata.labels?.[SERVICE_NAME];
      const headless = owner ? services.get(`${slice.metadata.namespace}/${owner}`) : undefined;
      if (headless?.spec.clusterIP !== 'None') continue;
      for (const endpoint of slice.endpoints ?? []) {
        if (endpoint.addresses.includes(ip))
          records.push(
            record(name, 'PTR', `${endpointName(endpoint)}.${owner}.${slice.metadata.namespace}.svc.${domain}`),
          );
      }
    }
    return records.length ? { exists: true, records: type === 'PTR' ? records : [] } : undefined;
  }

  soa(): DnsRecord {
    const { domain } = this.#options;
    const data = {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: TTL,
    };
    return record(domain, 'SOA', data);
  }

  #apex(name: string, type: string): Lookup {
    if (type === 'SOA') return { exists: true, records: [this.soa()] };
    if (type === 'NS') return { exists: true, records: [record(name, 'NS', `ns.dns.${name}`)] };
    return { exists: true, records: [] };
  }

  /** `labels` from the namespace down: [namespace], [namespace, service], [namespace, service, host], [namespace, service, _tcp, _http]. */
  #service(name: string, labels: readonly string[], type: string): Lookup {
    const { services, domain } = this.#options;
    const [namespace, serviceName, third, fourth, ...rest] = labels;
    if (namespace === undefined || rest.length) return NOTHING;
    if (serviceName === undefined) return { exists: services.list(namespace).length > 0, records: [] };
    const service = services.get(`${namespace}/${serviceName}`);
    if (!service) return NOTHING;
    const base = `${serviceName}.${namespace}.svc.${domain}`;
    if (service.spec.type === 'ExternalName') {
      return third === undefined
        ? { exists: true, records: [record(name, 'CNAME', service.spec.externalName ?? '')] }
        : NOTHING;
    }
    if (third === undefined)
      return type === 'SRV'
        ? this.#serviceSrv(name, service, base, () => true)
        : this.#serviceAddresses(name, service, type);
    if (third.startsWith('_')) {
      if (fourth !== undefined && !fourth.startsWith('_')) return NOTHING;
      const lookup = this.#serviceSrv(
        name,
        service,
        base,
        (port, protocol) => `_${protocol}` === third && (fourth === undefined || `_${port}` === fourth),
      );
      if (lookup.records.length === 0) return NOTHING;
      return type === 'SRV' ? lookup : { exists: true, records: [] };
    }
    if (fourth !== undefined) return NOTHING;
    const endpoints = this.#endpoints(service).filter(({ endpoint }) => endpointName(endpoint) === third);
    return endpoints.length
      ? addresses(
          name,
          endpoints.flatMap(({ endpoint }) => endpoint.addresses),
          type,
        )
      : NOTHING;
  }

  #serviceAddresses(name: string, service: Service, type: string): Lookup {
    if (service.spec.clusterIP !== 'None')
      return addresses(name, service.spec.clusterIPs ?? [service.spec.clusterIP ?? ''], type);
    const ips = new Set(this.#endpoints(service).flatMap(({ endpoint }) => endpoint.addresses));
    // A headless Service without ready endpoints has no name at all.
    return ips.size ? addresses(name, [...ips], type) : NOTHING;
  }

  #serviceSrv(
    name: string,
    service: Service,
    base: string,
    wanted: (port: string, protocol: string) => boolean,
  ): Lookup {
    const records: DnsRecord[] = [];
    const additionals = new Map<string, DnsRecord>();
    const addRecord = (target: string, port: number, ips: readonly string[]) => {
      records.push(record(name, 'SRV', { priority: 0, weight: 100, port, target }));
      for (const ip of ips) additionals.set(`${target} ${ip}`, record(target, ip.includes(':') ? 'AAAA' : 'A', ip));
    };
    if (service.spec.clusterIP !== 'None') {
      for (const port of service.spec.ports ?? [])
        if (wanted(port.name ?? '', (port.protocol ?? 'TCP').toLowerCase()))
          addRecord(base, port.port, service.spec.clusterIPs ?? []);
    } else {
      for (const { endpoint, slice } of this.#endpoints(service)) {
        for (const port of slice.ports ?? []) {
          if (port.port !== undefined && wanted(port.name ?? '', (port.protocol ?? 'TCP').toLowerCase()))
            addRecord(`${endpointName(endpoint)}.${base}`, port.port, endpoint.addresses);
        }
      }
    }
    const weight = Math.max(1, Math.floor(100 / Math.max(1, records.length)));
    return {
      exists: true,
      records: records.map((r) => ({ ...r, data: { ...(r.data as object), weight } })),
      additionals: [...additionals.values()],
    };
  }

  #endpoints(service: Service): { endpoint: Endpoint; slice: EndpointSlice }[] {
    const slices = this.#options.slices.byIndex('service', objectKey(service));
    return slices.flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .map((endpoint) => ({ endpoint, slice })),
    );
  }
}

function record(name: string, type: DnsRecord['type'], data: unknown): DnsRecord {
  return { name, type, ttl: TTL, data };
}

function addresses(name: string, ips: readonly string[], type: string): Lookup {
  const records = ips.filter(Boolean).map((ip) => record(name, ip.includes(':') ? 'AAAA' : 'A', ip));
  return { exists: true, records: records.filter((r) => r.type === type || type === 'ANY') };
}

/** `1-2-3-4.namespace.pod`: the address is in the name. */
function podRecords(name: string, [dashed, namespace, ...rest]: readonly string[], type: string): Lookup {
  if (!dashed || !namespace || rest.length) return NOTHING;
  const ip = dashed.replaceAll('-', '.');
  return /^(\d{1,3}\.){3}\d{1,3}$/.test(ip) ? addresses(name, [ip], type) : NOTHING;
}

function endpointName(endpoint: Endpoint): string {
  return endpoint.hostname || (endpoint.addresses[0] ?? '').replace(/[.:]/g, '-');
}

/** The IPv4 address of a name under in-addr.arpa. */
function addressOf(name: string): string | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  return match ? match.slice(1, 5).reverse().join('.') : undefined;
}
