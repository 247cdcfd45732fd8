import type { HTTPIngressPath, Ingress, IngressBackend } from '../../api/types/networking.v1.gen.ts';

/** Where a request goes: a Service port in the Ingress' namespace. */
export interface RouteTarget {
  readonly namespace: string;
  readonly service: string;
  readonly port: number | string;
  /** `namespace/name` of the Ingress, for logs. */
  readonly ingress: string;
}

interface PathRule {
  readonly path: string;
  readonly exact: boolean;
  readonly target: RouteTarget;
}

/** Rules of the networking.k8s.io/v1 Ingress specification, compiled for look-up. */
export class RouteTable {
  readonly #exactHosts = new Map<string, PathRule[]>();
  /** By the part after `*`, e.g. `.example.com`. */
  readonly #wildcardHosts = new Map<string, PathRule[]>();
  readonly #anyHost: PathRule[] = [];
  #default: RouteTarget | undefined;
  /** TLS secrets (`namespace/name`) by host; `*.` hosts included as they are written. */
  readonly tlsSecrets = new Map<string, string>();

  /** Older Ingresses win over younger ones that claim the same host and path. */
  constructor(ingresses: readonly Ingress[]) {
    const byAge = [...ingresses].sort(
      (a, b) =>
        (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
        keyOf(a).localeCompare(keyOf(b)),
    );
    for (const ingress of byAge) this.#add(ingress);
    for (const rules of [...this.#exactHosts.values(), ...this.#wildcardHosts.values(), this.#anyHost])
      rules.sort(moreSpecificFirst);
  }

  /** The target of a request; `host` without port. */
  match(host: string, path: string): RouteTarget | undefined {
    const name = host.toLowerCase();
    const dot = name.indexOf('.');
    const candidates = [
      this.#exactHosts.get(name),
      dot > 0 ? this.#wildcardHosts.get(name.slice(dot)) : undefined,
      this.#anyHost,
    ];
    for (const rules of candidates) {
      const rule = rules?.find((candidate) => matches(candidate, path));
      if (rule) return rule.target;
    }
    return this.#default;
  }

  /** The secret with the certificate for a server name. */
  secretFor(serverName: string): string | undefined {
    const name = serverName.toLowerCase();
    return this.tlsSecrets.get(name) ?? this.tlsSecrets.get(`*${name.slice(Math.max(0, name.indexOf('.')))}`);
  }

  #add(ingress: Ingress): void {
    const target = (backend: IngressBackend): RouteTarget | undefined =>
      backend.service && {
        namespace: ingress.metadata.namespace!,
        service: backend.service.name,
        port: backend.service.port?.name || (backend.service.port?.number ?? 0),
        ingress: keyOf(ingress),
      };
    for (const rule of ingress.spec.rules ?? []) {
      const rules = this.#rulesOf(rule.host);
      for (const path of rule.http?.paths ?? []) {
        const to = target(path.backend);
        if (to && !rules.some((known) => known.path === pathOf(path) && known.exact === isExact(path)))
          rules.push({ path: pathOf(path), exact: isExact(path), target: to });
      }
    }
    if (ingress.spec.defaultBackend) this.#default ??= target(ingress.spec.defaultBackend);
    for (const tls of ingress.spec.tls ?? []) {
      const hosts = tls.hosts?.length ? tls.hosts : (ingress.spec.rules ?? []).flatMap((rule) => rule.host ?? []);
      for (const host of hosts)
        if (tls.secretName && !this.tlsSecrets.has(host.toLowerCase()))
          this.tlsSecrets.set(host.toLowerCase(), `${ingress.metadata.namespace}/${tls.secretName}`);
    }
  }

  #rulesOf(host: string | undefined): PathRule[] {
    if (!host) return this.#anyHost;
    const [map, key] = host.startsWith('*.')
      ? [this.#wildcardHosts, host.slice(1).toLowerCase()]
      : [this.#exactHosts, host.toLowerCase()];
    let rules = map.get(key);
    if (!rules) {
      rules = [];
      map.set(key, rules);
    }
    return rules;
  }
}

const keyOf = ({ metadata }: Ingress) => `${metadata.namespace}/${metadata.name}`;
const isExact = (path: HTTPIngressPath) => path.pathType === 'Exact';
const pathOf = (path: HTTPIngressPath) => path.path || '/';

/** Exact before prefix, then the longer path. */
function moreSpecificFirst(a: PathRule, b: PathRule): number {
  return b.path.length - a.path.length || Number(b.exact) - Number(a.exact);
}

/** Prefix matches whole path elements: `/foo` takes `/foo` and `/foo/bar`, not `/foobar`. */
function matches(rule: PathRule, path: string): boolean {
  if (rule.exact) return path === rule.path;
  if (rule.path === '/') return true;
  const prefix = rule.path.endsWith('/') ? rule.path.slice(0, -1) : rule.path;
  return path === prefix || path.startsWith(`${prefix}/`);
}
