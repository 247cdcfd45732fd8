import type { KindDefinition, KindRegistry } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import { type RegistryServices, timestamp } from '../registry/registry-services.ts';
import type { RequestRouter } from '../request/request-router.ts';
import { removeObjects } from './clean-up.ts';
import { cleaningUp, isTrue, statusOf, withCondition } from './conditions.ts';
import { CLEANUP_FINALIZER } from './crd-hooks.ts';
import { type Converter, customKinds, hasRules } from './definition.ts';
import { decideNames } from './names.ts';
import { customResourceHandler } from './resource-handler.ts';
import type { MakeRules } from './validation/custom-resource-validator.ts';

export interface CrdControllerOptions {
  readonly kinds: KindRegistry;
  readonly services: RegistryServices;
  readonly router: RequestRouter;
  /** Of the server itself. */
  readonly transport: Transport;
  readonly logger: Logger;
  /** Undefined: its versions differ in name alone. */
  converter(crd: CustomResourceDefinition): Converter | undefined;
}

interface Served {
  readonly key: string;
  readonly kinds: readonly KindDefinition[];
}

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const RETRY_MS = 1000;

/** Serves what CRDs define, says so in their status, and clears up after them. */
export class CrdController {
  readonly #options: CrdControllerOptions;
  readonly #crds = new Map<string, CustomResourceDefinition>();
  readonly #served = new Map<string, Served>();
  readonly #cleaning = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #abort = new AbortController();
  #makeRules: MakeRules | undefined;
  #loadingRules: Promise<void> | undefined;

  constructor(options: CrdControllerOptions) {
    this.#options = options;
  }

  /** Resolves when all that were told are served, those with rules too. */
  async ready(): Promise<void> {
    await this.#loadingRules;
  }

  /** What it defines is served when this returns (with the first rules: when their engine is loaded); its status follows. */
  upsert(crd: CustomResourceDefinition): void {
    const { name } = crd.metadata;
    const before = this.#crds.get(name);
    this.#crds.set(name, crd);
    try {
      this.#reconcile(crd);
    } catch (error) {
      this.#options.logger.error({ err: error, crd: name }, 'a custom resource definition cannot be served');
    }
    if (before?.status?.acceptedNames && !deepEqual(before.status.acceptedNames, crd.status?.acceptedNames))
      this.#offerNames(crd);
  }

  remove(crd: CustomResourceDefinition): void {
    const { name } = crd.metadata;
    this.#crds.delete(name);
    this.#withdraw(name);
    this.#offerNames(crd);
  }

  /** Names that it held and does not any more are free for those who wanted them. */
  #offerNames({ metadata: { name }, spec }: CustomResourceDefinition): void {
    for (const other of [...this.#crds.values()])
      if (
        other.metadata.name !== name &&
        other.spec.group === spec.group &&
        !isTrue(other.status?.conditions ?? [], 'NamesAccepted')
      )
        this.upsert(other);
  }

  stop(): void {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #reconcile(crd: CustomResourceDefinition): void {
    if (!this.#makeRules && crd.spec.versions.some(hasRules)) {
      this.#loadingRules ??= this.#loadRules();
      return;
    }
    const { name } = crd.metadata;
    const others = [...this.#crds.values()].filter(
      (other) => other.metadata.name !== name && other.spec.group === crd.spec.group,
    );
    const decision = decideNames(crd, others);
    const terminating = crd.metadata.deletionTimestamp !== undefined;
    let status = terminating ? (crd.status ?? {}) : statusOf(crd, decision, timestamp(this.#options.services.now()));
    if (isTrue(status.conditions ?? [], 'Established')) this.#serve(crd, status);
    if (terminating && crd.metadata.finalizers?.includes(CLEANUP_FINALIZER)) {
      const conditions = withCondition(status.conditions ?? [], cleaningUp, timestamp(this.#options.services.now()));
      if (conditions !== status.conditions) status = { ...status, conditions };
      this.#cleanUp(crd);
    }
    if (status !== crd.status) this.#write(crd, status);
  }

  #serve(crd: CustomResourceDefinition, status: NonNullable<CustomResourceDefinition['status']>): void {
    const { name } = crd.metadata;
    const names = status.acceptedNames;
    if (!names?.plural) return;
    const key = JSON.stringify([crd.metadata.uid, crd.spec, names, crd.metadata.deletionTimestamp !== undefined]);
    const before = this.#served.get(name);
    if (before?.key === key) return;
    const kinds = customKinds(crd, names, this.#options.converter(crd), this.#makeRules);
    this.#served.set(name, { key, kinds });
    const { kinds: registry, router, services } = this.#options;
    for (const { group, version, resource } of before?.kinds ?? [])
      if (!kinds.some((kind) => kind.version === version)) registry.remove(group, version, resource);
    router.addResource(crd.spec.group, names.plural, customResourceHandler(services, crd, kinds));
    for (const kind of kinds) registry.add(kind);
    // Whoever watches goes by the old definition: the watch ends, and is taken up again under the new one.
    if (before) this.#endWatches(before);
  }

  async #loadRules(): Promise<void> {
    const { SchemaRules } = await import('../cel/schema-rules.ts');
    this.#makeRules = (props) => new SchemaRules(props);
    for (const crd of [...this.#crds.values()]) if (crd.spec.versions.some(hasRules)) this.upsert(crd);
  }

  #withdraw(name: string): void {
    const served = this.#served.get(name);
    if (!served) return;
    this.#served.delete(name);
    for (const { group, version, resource } of served.kinds) {
      this.#options.kinds.remove(group, version, resource);
      this.#options.router.removeResource(group, resource);
    }
    this.#endWatches(served);
  }

  #endWatches({ kinds: [kind] }: Served): void {
    if (!kind) return;
    for (const watcher of this.#options.services.cache.for(kind).watchers()) watcher.close();
  }

  #cleanUp(crd: CustomResourceDefinition): void {
    const { name, uid = '' } = crd.metadata;
    if (this.#cleaning.has(uid)) return;
    this.#cleaning.add(uid);
    const { transport, services } = this.#options;
    const kinds = this.#served.get(name)?.kinds ?? [];
    // In the form in which they are stored: a conversion webhook that is gone is no reason to keep them.
    const kind = kinds.find(({ version, storage }) => version === storage?.version) ?? kinds[0];
    (async () => {
      if (kind) await removeObjects(services.cache, transport, kind, this.#abort.signal);
      for (
        let current: CustomResourceDefinition | undefined = this.#crds.get(name);
        current?.metadata.uid === uid;
        current = this.#crds.get(name)
      ) {
        const finalizers = current.metadata.finalizers?.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
        const body = { ...current, metadata: { ...current.metadata, finalizers } };
        try {
          await transport.request({ method: 'PUT', path: `${PATH}/${name}`, body });
          return;
        } catch (error) {
          if (isStatusError(error, 'NotFound')) return;
          if (!isStatusError(error, 'Conflict')) throw error;
          await services.cache.fresh();
          await new Promise(setImmediate);
        }
      }
    })().then(
      () => this.#cleaning.delete(uid),
      (error: unknown) => {
        this.#cleaning.delete(uid);
        if (this.#abort.signal.aborted) return;
        this.#options.logger.warn(
          { err: error, crd: name },
          'the objects of a custom resource definition are not all deleted yet',
        );
        this.#later(name);
      },
    );
  }

  /** A conflict needs no second try: the other writer's result comes along and is looked at. */
  #write(crd: CustomResourceDefinition, status: CustomResourceDefinition['status']): void {
    const { name } = crd.metadata;
    const body = { ...crd, status };
    this.#options.transport.request({ method: 'PUT', path: `${PATH}/${name}/status`, body }).catch((error: unknown) => {
      if (this.#abort.signal.aborted || isStatusError(error, 'Conflict') || isStatusError(error, 'NotFound')) return;
      this.#options.logger.warn(
        { err: error, crd: name },
        'the status of a custom resource definition was not written',
      );
      this.#later(name);
    });
  }

  #later(name: string): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const crd = this.#crds.get(name);
      if (crd) this.upsert(crd);
    }, RETRY_MS);
    timer.unref();
    this.#timers.add(timer);
  }
}
