import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol.v1.gen.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { FlowControl } from '../request/flow-control.ts';
import type { RequestContext } from '../request/request-context.ts';
import { type DefaultConfiguration, defaultConfiguration } from './default-configuration.ts';
import { matchesFlowSchema } from './flow-schema-match.ts';
import { PriorityLevel } from './priority-level.ts';

export interface PriorityAndFairnessOptions {
  /** Of all levels together. */
  readonly totalSeats: number;
  /** How long a request may wait in a queue. */
  readonly queueTimeoutMs: number;
  /** How many objects of a resource are stored. */
  objectCount(group: string, resource: string): number;
}

interface Classification {
  readonly level: PriorityLevel;
  readonly flow: string;
}

const MAX_CLASSIFICATIONS = 10_000;
const OBJECTS_PER_SEAT = 100;
const MAX_SEATS = 10;

/** Sorts requests into flows and priority levels by the FlowSchemas there are, so that no client starves the others. */
export class PriorityAndFairness implements FlowControl {
  readonly #options: PriorityAndFairnessOptions;
  readonly #schemas = new Map<string, FlowSchema>();
  readonly #configurations = new Map<string, PriorityLevelConfiguration>();
  readonly #levels = new Map<string, PriorityLevel>();
  readonly #known = new Map<string, Classification>();
  #ordered: readonly FlowSchema[] = [];
  #changed = true;

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

  enter(context: RequestContext): (() => void) | Promise<() => void> {
    const { level, flow } = this.#classify(context);
    const got = level.enter(flow, this.#width(context), this.#options.queueTimeoutMs, () => context.signal);
    return typeof got === 'number' ? () => level.leave(got) : got.then((seats) => () => level.leave(seats));
  }

  #classify({ user, info }: RequestContext): Classification {
    if (this.#changed) this.#apply();
    const key = `${user.name}\n${user.groups.join('\t')}\n${info.verb}\n${
      info.resourceRequest ? `${info.group}/${info.resource}/${info.subresource}\n${info.namespace}` : info.path
    }`;
    const known = this.#known.get(key);
    if (known) return known;
    const schema = this.#ordered.find((candidate) => matchesFlowSchema(candidate, user, info));
    const level = this.#levels.get(schema?.spec.priorityLevelConfiguration.name ?? 'catch-all')!;
    const by = schema?.spec.distinguisherMethod?.type;
    const distinguisher = by === 'ByUser' ? user.name : by === 'ByNamespace' ? info.namespace : '';
    const made = { level, flow: `${schema?.metadata.name}\n${distinguisher}` };
    if (this.#known.size >= MAX_CLASSIFICATIONS) this.#known.clear();
    this.#known.set(key, made);
    return made;
  }

  /** Lists are as wide as what they have to go through. */
  #width({ info, query }: RequestContext): number {
    if (info.verb !== 'list' || info.subresource !== '') return 1;
    const count = this.#options.objectCount(info.group, info.resource);
    const limit = Number(query.get('limit') ?? 0);
    const selective = query.has('labelSelector') || query.has('fieldSelector');
    const objects = limit > 0 && !selective ? Math.min(count, limit) : count;
    return Math.max(1, Math.min(MAX_SEATS, Math.ceil(objects / OBJECTS_PER_SEAT)));
  }

  #apply(): void {
    this.#changed = false;
    this.#known.clear();
    for (const [name, { spec }] of this.#configurations)
      if (!this.#levels.has(name)) this.#levels.set(name, new PriorityLevel(name, spec));
    for (const name of this.#levels.keys()) if (!this.#configurations.has(name)) this.#levels.delete(name);
    const shares = (spec: PriorityLevelConfiguration['spec']) =>
      spec.type === 'Exempt'
        ? (spec.exempt?.nominalConcurrencyShares ?? 0)
        : (spec.limited?.nominalConcurrencyShares ?? 30);
    const total = [...this.#configurations.values()].reduce((sum, { spec }) => sum + shares(spec), 0);
    for (const [name, { spec }] of this.#configurations)
      this.#levels
        .get(name)!
        .configure(spec, Math.max(1, Math.ceil((this.#options.totalSeats * shares(spec)) / Math.max(1, total))));
    // Equal precedences: by name. A schema whose level is missing matches nothing.
    this.#ordered = [...this.#schemas.values()]
      .filter(({ spec }) => this.#levels.has(spec.priorityLevelConfiguration.name))
      .sort(
        (a, b) =>
          (a.spec.matchingPrecedence ?? 1000) - (b.spec.matchingPrecedence ?? 1000) ||
          (a.metadata.name < b.metadata.name ? -1 : 1),
      );
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
