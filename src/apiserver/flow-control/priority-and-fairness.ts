import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol.v1.gen.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { FlowControl } from '../request/flow-control.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { RequestInfo } from '../request/request-info.ts';
import { type DefaultConfiguration, defaultConfiguration } from './default-configuration.ts';
import { FlowCounts } from './flow-counts.ts';
import { matchesFlowSchema } from './flow-schema-match.ts';
import { PriorityLevel } from './priority-level.ts';
import { type SeatClaim, shareSeats } from './share-seats.ts';
import { SortedFlow } from './sorted-flow.ts';
import type { StoredObjects } from './work-estimate.ts';

export interface PriorityAndFairnessOptions {
  /** Of all levels together. */
  readonly totalSeats: number;
  /** How long a request may wait in a queue. */
  readonly queueTimeoutMs: number;
  stored(group: string, resource: string): StoredObjects;
}

interface Known {
  readonly verb: string;
  readonly group: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly flow: SortedFlow;
}

const MAX_KNOWN_PER_RESOURCE = 64;
/** How often seats that one level leaves idle go to levels that lack some. */
const BORROWING_PERIOD_MS = 10_000;

/** Sorts requests into flows and priority levels by the FlowSchemas there are, so that no client starves the others. */
export class PriorityAndFairness implements FlowControl {
  readonly #options: PriorityAndFairnessOptions;
  readonly #schemas = new Map<string, FlowSchema>();
  readonly #configurations = new Map<string, PriorityLevelConfiguration>();
  readonly #levels = new Map<string, PriorityLevel>();
  readonly #counts = new Map<string, FlowCounts>();
  /** Authenticators hand out one object per user for as long as nothing changes. */
  #known = new WeakMap<UserInfo, Map<string, Known[]>>();
  #ordered: readonly SortedFlow[] = [];
  #rest: SortedFlow | undefined;
  /** Whether any schema asks for the namespace beyond there being one. */
  #namespacesMatter = false;
  #changed = true;
  #borrowing: NodeJS.Timeout | undefined;
  /** Of what the levels wanted at the last adjustment, what they got. */
  fairFraction = 1;

  constructor(options: PriorityAndFairnessOptions) {
    this.#options = options;
    for (const wanted of defaultConfiguration()) if (wanted.mandatory) this.#put(wanted);
  }

  /** Follows the objects until the reader's cache ends. Mandatory ones stay in force when they are deleted. */
  follow(reader: ObjectReader): void {
    const mandatory = new Map(
      defaultConfiguration()
        .filter((wanted) => wanted.mandatory)
        .map((wanted) => [`${wanted.kind}/${wanted.name}`, wanted]),
    );
    reader.subscribe<FlowSchema>(['flowschemas'], {
      upsert: (schema) => this.#change(() => this.#schemas.set(schema.metadata.name, schema)),
      remove: ({ metadata: { name } }) =>
        this.#change(() => this.#forget(this.#schemas, name, mandatory.get(`FlowSchema/${name}`))),
    });
    reader.subscribe<PriorityLevelConfiguration>(['prioritylevelconfigurations'], {
      upsert: (level) => this.#change(() => this.#configurations.set(level.metadata.name, level)),
      remove: ({ metadata: { name } }) =>
        this.#change(() =>
          this.#forget(this.#configurations, name, mandatory.get(`PriorityLevelConfiguration/${name}`)),
        ),
    });
  }

  /** Lends seats now and then, until `stop`. */
  start(): void {
    this.#borrowing = setInterval(() => this.adjust(), BORROWING_PERIOD_MS);
    this.#borrowing.unref();
  }

  stop(): void {
    clearInterval(this.#borrowing);
  }

  /**
   * Ends a period: every level keeps what it needed at most, as far as that is its own, and what others may lend goes to
   * those that wanted more.
   */
  adjust(): void {
    const now = performance.now();
    const limited: { level: PriorityLevel; claim: SeatClaim }[] = [];
    let seats = 0;
    for (const level of this.levels()) {
      level.demand.turn(now);
      seats += level.nominal;
      const lower = Math.max(level.lower, Math.min(level.nominal, Math.ceil(level.demand.highWatermark)));
      if (level.exempt) seats -= lower;
      else
        limited.push({ level, claim: { lower, upper: level.upper, target: Math.max(lower, level.demand.smoothed) } });
    }
    const shared = shareSeats(
      seats,
      limited.map(({ claim }) => claim),
    );
    this.fairFraction = shared.fraction;
    for (const [index, { level, claim }] of limited.entries()) {
      level.target = claim.target;
      level.lend(Math.round(shared.seats[index]!));
    }
  }

  levels(): Iterable<PriorityLevel> {
    if (this.#changed) this.#apply();
    return this.#levels.values();
  }

  counts(): Iterable<FlowCounts> {
    return this.#counts.values();
  }

  classify({ user, info }: RequestContext): SortedFlow {
    if (this.#changed) this.#apply();
    // Other paths are as many as clients make up.
    if (!info.resourceRequest) return this.#match(user, info);
    let ofUser = this.#known.get(user);
    if (!ofUser) {
      ofUser = new Map();
      this.#known.set(user, ofUser);
    }
    const { verb, group, resource, subresource } = info;
    const namespace = this.#namespacesMatter || info.namespace === '' ? info.namespace : '*';
    let known = ofUser.get(resource);
    if (!known || known.length >= MAX_KNOWN_PER_RESOURCE) {
      known = [];
      if (ofUser.size >= MAX_KNOWN_PER_RESOURCE) ofUser.clear();
      ofUser.set(resource, known);
    }
    for (const entry of known)
      if (
        entry.verb === verb &&
        entry.namespace === namespace &&
        entry.group === group &&
        entry.subresource === subresource
      )
        return entry.flow;
    const flow = this.#match(user, info);
    known.push({ verb, group, subresource, namespace, flow });
    return flow;
  }

  #match(user: UserInfo, info: RequestInfo): SortedFlow {
    return this.#ordered.find((flow) => matchesFlowSchema(flow.schema!, user, info)) ?? this.#rest!;
  }

  #apply(): void {
    this.#changed = false;
    this.#known = new WeakMap();
    for (const [name, { spec }] of this.#configurations)
      if (!this.#levels.has(name)) this.#levels.set(name, new PriorityLevel(name, spec));
    for (const name of this.#levels.keys()) if (!this.#configurations.has(name)) this.#levels.delete(name);
    const shares = (spec: PriorityLevelConfiguration['spec']) =>
      spec.type === 'Exempt'
        ? (spec.exempt?.nominalConcurrencyShares ?? 0)
        : (spec.limited?.nominalConcurrencyShares ?? 30);
    const total = [...this.#configurations.values()].reduce((sum, { spec }) => sum + shares(spec), 0);
    const { totalSeats } = this.#options;
    for (const [name, { spec }] of this.#configurations)
      this.#levels.get(name)!.configure(spec, Math.ceil((totalSeats * shares(spec)) / Math.max(1, total)), totalSeats);
    // Equal precedences: by name. A schema whose level is missing matches nothing.
    this.#ordered = [...this.#schemas.values()]
      .filter(({ spec }) => this.#levels.has(spec.priorityLevelConfiguration.name))
      .sort(
        (a, b) =>
          (a.spec.matchingPrecedence ?? 1000) - (b.spec.matchingPrecedence ?? 1000) ||
          (a.metadata.name < b.metadata.name ? -1 : 1),
      )
      .map((schema) => this.#flow(schema, schema.spec.priorityLevelConfiguration.name));
    this.#rest = this.#flow(undefined, 'catch-all');
    this.#namespacesMatter = this.#ordered.some(({ schema }) =>
      schema!.spec.rules?.some((rule) => rule.resourceRules?.some(({ namespaces }) => !namespaces?.includes('*'))),
    );
  }

  #flow(schema: FlowSchema | undefined, levelName: string): SortedFlow {
    const schemaName = schema?.metadata.name ?? 'catch-all';
    const key = `${levelName}\n${schemaName}`;
    let counts = this.#counts.get(key);
    if (!counts) {
      counts = new FlowCounts(levelName, schemaName);
      this.#counts.set(key, counts);
    }
    return new SortedFlow({
      schema,
      level: this.#levels.get(levelName)!,
      priorityLevelUid: this.#configurations.get(levelName)?.metadata.uid ?? '',
      counts,
      queueTimeoutMs: this.#options.queueTimeoutMs,
      stored: this.#options.stored,
    });
  }

  #change(change: () => void): void {
    change();
    this.#changed = true;
  }

  #forget(map: Map<string, unknown>, name: string, mandatory: DefaultConfiguration | undefined): void {
    map.delete(name);
    if (mandatory) this.#put(mandatory);
  }

  #put({ kind, name, spec }: DefaultConfiguration): void {
    const object = { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind, metadata: { name }, spec };
    if (kind === 'FlowSchema') this.#schemas.set(name, object as FlowSchema);
    else this.#configurations.set(name, object as PriorityLevelConfiguration);
  }
}
