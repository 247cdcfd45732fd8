import type {
  FlowSchema,
  FlowSchemaCondition,
  PriorityLevelConfiguration,
} from '../../api/types/flowcontrol.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { applyPatch } from '../../apimachinery/managed-fields/apply-patch.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { BootstrapStep } from '../bootstrap/bootstrap-objects.ts';
import type { ObjectReader } from '../object-reader.ts';
import { trackManagedFields } from '../registry/managed-fields.ts';
import { setSystemFields } from '../registry/object-metadata.ts';
import { type RegistryServices, timestamp } from '../registry/registry-services.ts';
import { type DefaultConfiguration, defaultConfiguration } from './default-configuration.ts';

export interface ConfigurationObjectsOptions {
  readonly services: RegistryServices;
  readonly reader: ObjectReader;
  /** May do everything. */
  readonly transport: Transport;
}

const GROUP = 'flowcontrol.apiserver.k8s.io';
const GROUP_VERSION = `${GROUP}/v1`;
const AUTO_UPDATE = 'apf.kubernetes.io/autoupdate-spec';
const PRODUCER = 'api-priority-and-fairness-config-producer-v1';
const CONSUMER = 'api-priority-and-fairness-config-consumer-v1';
/** Between a change of the objects and the look at them. */
const SETTLE_MS = 100;

const resourceOf = (kind: DefaultConfiguration['kind']) =>
  kind === 'FlowSchema' ? 'flowschemas' : 'prioritylevelconfigurations';

/**
 * Keeps the objects that priority and fairness is configured by: mandatory ones are put back as they must be, suggested
 * ones follow unless an operator took them over, and FlowSchemas without a level say so in their status.
 */
export class ConfigurationObjects {
  readonly #options: ConfigurationObjectsOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ConfigurationObjectsOptions) {
    this.#options = options;
  }

  readonly step: BootstrapStep = {
    name: 'priority-and-fairness-config-producer',
    run: async () => {
      await Promise.all(defaultConfiguration().map((wanted) => this.#ensure(wanted)));
      this.#follow();
    },
  };

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #follow(): void {
    const settle = () => {
      if (this.#stopped || this.#timer) return;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        const work = (this.#running ?? Promise.resolve()).then(() => this.#reconcile());
        this.#running = work.catch((error: unknown) => {
          if (!this.#stopped)
            this.#options.services.logger.warn({ err: error }, 'priority and fairness could not keep its objects');
        });
      }, SETTLE_MS);
      this.#timer.unref();
    };
    this.#options.reader.subscribe(['flowschemas', 'prioritylevelconfigurations'], { upsert: settle, remove: settle });
  }

  async #reconcile(): Promise<void> {
    const { reader } = this.#options;
    for (const wanted of defaultConfiguration()) await this.#ensure(wanted);
    for (const schema of reader.list<FlowSchema>('flowschemas')) {
      const present = schema.status?.conditions?.find(({ type }) => type === 'Dangling');
      const due = this.#dangling(schema.spec.priorityLevelConfiguration.name, present);
      if (due) await this.#report(schema.metadata.name, due);
    }
  }

  /** Undefined when `present` says it already. */
  #dangling(level: string, present?: FlowSchemaCondition): FlowSchemaCondition | undefined {
    const { reader, services } = this.#options;
    const exists = reader.get<PriorityLevelConfiguration>('prioritylevelconfigurations', level) !== undefined;
    const condition = conditionOf(level, exists);
    if (present && present.status === condition.status && present.message === condition.message) return undefined;
    const now = timestamp(services.now());
    return {
      ...condition,
      lastTransitionTime: (present?.status === condition.status && present?.lastTransitionTime) || now,
    };
  }

  async #report(name: string, condition: FlowSchemaCondition): Promise<void> {
    const path = `/apis/${GROUP_VERSION}/flowschemas/${name}/status`;
    try {
      await this.#options.transport.request({
        method: 'PATCH',
        path,
        query: { fieldManager: CONSUMER, force: true },
        contentType: 'application/apply-patch+yaml',
        body: {
          apiVersion: GROUP_VERSION,
          kind: 'FlowSchema',
          metadata: { name },
          status: { conditions: [condition] },
        },
      });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  async #ensure(wanted: DefaultConfiguration): Promise<void> {
    if (this.#stopped) return;
    const { kind, name, spec, mandatory } = wanted;
    const present = this.#options.reader.get<UnstructuredObject & { spec?: object }>(resourceOf(kind), name);
    if (!present) return this.#create(wanted);
    const annotation = present.metadata.annotations?.[AUTO_UPDATE];
    // Without the annotation the first generation tells that nobody has changed it.
    const ours = mandatory || annotation === 'true' || (annotation === undefined && present.metadata.generation === 1);
    if (!ours || (deepEqual(present.spec, spec) && annotation === 'true')) return;
    const annotations = { ...present.metadata.annotations, [AUTO_UPDATE]: 'true' };
    try {
      await this.#options.transport.request({
        method: 'PUT',
        path: `/apis/${GROUP_VERSION}/${resourceOf(kind)}/${name}`,
        query: { fieldManager: PRODUCER },
        body: { ...present, metadata: { ...present.metadata, annotations }, spec },
      });
    } catch (error) {
      // Somebody else was at it; the change brings us here again.
      if (!isStatusError(error, 'Conflict') && !isStatusError(error, 'NotFound')) throw error;
    }
  }

  /** Straight into the storage: the objects are complete and valid as they are, and every boot waits for them. */
  async #create({ kind, name, spec }: DefaultConfiguration): Promise<void> {
    const { services } = this.#options;
    const definition = services.kinds.byResource(GROUP, 'v1', resourceOf(kind))!;
    const now = timestamp(services.now());
    const object = {
      apiVersion: GROUP_VERSION,
      kind,
      metadata: { name, annotations: { [AUTO_UPDATE]: 'true' } },
      spec,
      status: {},
    } as Draft<UnstructuredObject>;
    setSystemFields(object, now);
    object.metadata.generation = 1;
    let created: UnstructuredObject = trackManagedFields(services, definition, object, undefined, PRODUCER);
    if ('priorityLevelConfiguration' in spec) {
      const condition = { ...conditionOf(spec.priorityLevelConfiguration.name, true), lastTransitionTime: now };
      created = applyPatch({
        live: created,
        config: { apiVersion: GROUP_VERSION, kind, metadata: { name }, status: { conditions: [condition] } } as never,
        schema: definition.schema,
        manager: CONSUMER,
        apiVersion: GROUP_VERSION,
        subresource: 'status',
        force: true,
        now,
        checked: true,
      }).object;
    }
    try {
      await services.storage.create(definition, created);
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    }
  }
}

function conditionOf(level: string, exists: boolean): FlowSchemaCondition {
  const reference = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return exists
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${reference} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${reference} but there is no such object` };
}
