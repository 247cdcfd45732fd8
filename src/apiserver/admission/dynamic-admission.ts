import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { firstOfLast } from './admission-chain.ts';
import type { ConfiguredStep, DynamicAdmissionOptions } from './configured-step.ts';

interface Source {
  /** As `--disable-admission-plugins` names it. */
  readonly name: string;
  readonly resources: readonly string[];
  load(options: DynamicAdmissionOptions): Promise<ConfiguredStep>;
}

const GROUP = 'admissionregistration.k8s.io';

/** In the order in which they look at a request. */
const SOURCES: readonly Source[] = [
  {
    name: 'MutatingAdmissionPolicy',
    resources: [`mutatingadmissionpolicies.${GROUP}`, `mutatingadmissionpolicybindings.${GROUP}`],
    load: async (options) => (await import('./policies/mutating-policies.ts')).mutatingPolicies(options),
  },
  {
    name: 'MutatingAdmissionWebhook',
    resources: [`mutatingwebhookconfigurations.${GROUP}`],
    load: async (options) =>
      (await import('./webhooks/configured-webhooks.ts')).configuredWebhooks(options, 'mutating'),
  },
  {
    name: 'ValidatingAdmissionPolicy',
    resources: [`validatingadmissionpolicies.${GROUP}`, `validatingadmissionpolicybindings.${GROUP}`],
    load: async (options) => (await import('./policies/validating-policies.ts')).validatingPolicies(options),
  },
  {
    name: 'ValidatingAdmissionWebhook',
    resources: [`validatingwebhookconfigurations.${GROUP}`],
    load: async (options) =>
      (await import('./webhooks/configured-webhooks.ts')).configuredWebhooks(options, 'validating'),
  },
];

/**
 * Admission that is configured by objects: policies and webhooks. What serves a sort of them is loaded with the first
 * object of that sort; requests wait for it.
 */
export class DynamicAdmission {
  readonly #options: DynamicAdmissionOptions;
  readonly #sources: readonly Source[];
  readonly #parts: readonly LazyStep[];
  readonly #unsubscribe: (() => void)[] = [];
  #base: readonly AdmissionStep[] | undefined;
  #steps: readonly AdmissionStep[] = [];

  constructor(options: DynamicAdmissionOptions) {
    this.#options = options;
    this.#sources = SOURCES.filter(({ name }) => !options.disabled?.includes(name));
    this.#parts = this.#sources.map((source) => new LazyStep(source.name, () => source.load(options)));
  }

  /** Called when the cache has been loaded; resolves when what is configured is in force. */
  async start(): Promise<void> {
    for (const [index, { resources }] of this.#sources.entries()) {
      const part = this.#parts[index]!;
      for (const resource of resources) {
        if (!this.#isServed(resource)) continue;
        this.#unsubscribe.push(
          this.#options.reader.subscribe<UnstructuredObject>([resource], {
            upsert: (object) => part.tell((step) => step.upsert(resource, object)),
            remove: (object) => part.tell((step) => step.remove(resource, object)),
          }),
        );
      }
    }
    await Promise.all(this.#parts.map((part) => part.loading));
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** `base` with these steps in their place. */
  extend(base: readonly AdmissionStep[]): readonly AdmissionStep[] {
    if (base !== this.#base) {
      this.#base = base;
      this.#steps = base.toSpliced(firstOfLast(base), 0, ...this.#parts);
    }
    return this.#steps;
  }

  #isServed(resource: string): boolean {
    const plural = resource.slice(0, resource.indexOf('.'));
    return this.#options.kinds.all().some((kind) => kind.group === GROUP && kind.resource === plural);
  }
}

/** Stands for a step until it is there. */
class LazyStep implements AdmissionStep {
  readonly name: string;
  readonly #load: () => Promise<ConfiguredStep>;
  #loaded: ConfiguredStep | undefined;
  #waiting: ((step: ConfiguredStep) => void)[] = [];
  loading: Promise<ConfiguredStep> | undefined;

  constructor(name: string, load: () => Promise<ConfiguredStep>) {
    this.name = name;
    this.#load = load;
  }

  tell(what: (step: ConfiguredStep) => void): void {
    if (this.#loaded) {
      what(this.#loaded);
      return;
    }
    this.#waiting.push(what);
    this.loading ??= this.#load().then((loaded) => {
      this.#loaded = loaded;
      for (const waiting of this.#waiting) waiting(loaded);
      this.#waiting = [];
      return loaded;
    });
  }

  handles(attributes: Parameters<AdmissionStep['handles']>[0]): boolean {
    if (this.#loaded) return this.#loaded.step.handles(attributes);
    return this.loading !== undefined;
  }

  mutate(...[attributes, object]: Parameters<NonNullable<AdmissionStep['mutate']>>): void | Promise<void> {
    if (this.#loaded) return this.#loaded.step.mutate?.(attributes, object);
    return this.loading?.then(({ step }) => (step.handles(attributes) ? step.mutate?.(attributes, object) : undefined));
  }

  validate(...[attributes, object]: Parameters<NonNullable<AdmissionStep['validate']>>): void | Promise<void> {
    if (this.#loaded) return this.#loaded.step.validate?.(attributes, object);
    return this.loading?.then(({ step }) =>
      step.handles(attributes) ? step.validate?.(attributes, object) : undefined,
    );
  }

  reinvoke(attributes: Parameters<AdmissionStep['handles']>[0]): boolean {
    return this.#loaded?.step.reinvoke?.(attributes) ?? false;
  }
}
