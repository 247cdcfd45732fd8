import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery.v1.gen.ts';

/** Endpoints that share their ports: they may live in one slice. */
export interface EndpointSet {
  readonly ports: readonly EndpointPort[];
  /** By identity: target pod and address. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

export interface SliceChanges {
  readonly create: readonly { readonly ports: readonly EndpointPort[]; readonly endpoints: readonly Endpoint[] }[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
  readonly keep: readonly EndpointSlice[];
}

export function endpointIdentity({ targetRef, addresses }: Endpoint): string {
  return `${targetRef?.uid ?? ''} ${addresses[0] ?? ''}`;
}

/**
 * Distributes endpoints over slices of at most `max`. Endpoints stay where they are; new ones fill slices that change
 * anyway, then those with room, then new ones: every changed slice is sent to every node.
 */
export function packSlices(
  existing: readonly EndpointSlice[],
  wanted: readonly EndpointSet[],
  max: number,
): SliceChanges {
  const create: { ports: readonly EndpointPort[]; endpoints: readonly Endpoint[] }[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const keep: EndpointSlice[] = [];
  const byPorts = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const id = portsId(slice.ports ?? []);
    byPorts.set(id, [...(byPorts.get(id) ?? []), slice]);
  }
  for (const { ports, endpoints } of wanted) {
    const id = portsId(ports);
    const slices = byPorts.get(id) ?? [];
    byPorts.delete(id);
    const missing = new Map(endpoints);
    const drafts = slices.map((slice) => {
      const kept: Endpoint[] = [];
      let changed = false;
      for (const endpoint of slice.endpoints ?? []) {
        const identity = endpointIdentity(endpoint);
        const next = missing.get(identity);
        if (!next) {
          changed = true;
          continue;
        }
        missing.delete(identity);
        kept.push(next);
        changed ||= !sameEndpoint(endpoint, next);
      }
      return { slice, kept, changed };
    });
    const rest = [...missing.values()];
    drafts.sort((a, b) => Number(b.changed) - Number(a.changed) || b.kept.length - a.kept.length);
    for (const entry of drafts) {
      if (rest.length === 0) break;
      const room = max - entry.kept.length;
      if (room <= 0) continue;
      entry.kept.push(...rest.splice(0, room));
      entry.changed = true;
    }
    for (const { slice, kept, changed } of drafts) {
      if (kept.length === 0) remove.push(slice);
      else if (changed) update.push({ ...slice, endpoints: kept, ports });
      else keep.push(slice);
    }
    while (rest.length > 0) create.push({ ports, endpoints: rest.splice(0, max) });
  }
  for (const slices of byPorts.values()) remove.push(...slices);
  return { create, update, remove, keep };
}

function portsId(ports: readonly EndpointPort[]): string {
  return ports
    .map(({ name, protocol, port, appProtocol }) => `${name ?? ''}/${protocol ?? 'TCP'}/${port}/${appProtocol ?? ''}`)
    .sort()
    .join(',');
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.addresses[0] === b.addresses[0] &&
    a.conditions?.ready === b.conditions?.ready &&
    a.conditions?.serving === b.conditions?.serving &&
    a.conditions?.terminating === b.conditions?.terminating &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    a.hostname === b.hostname &&
    JSON.stringify(a.hints) === JSON.stringify(b.hints)
  );
}
