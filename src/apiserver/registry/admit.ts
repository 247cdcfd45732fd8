import type { KindDefinition } from '../../api/kind.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { GroupVersionKind, UnstructuredObject } from '../../apimachinery/meta.ts';
import { timedOut } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionType } from '../admission/admission-metrics.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { RegistryServices } from './registry-services.ts';

export interface AdmissionInput {
  readonly operation: AdmissionOperation;
  readonly definition: KindDefinition;
  /** Of the object of a subresource (Eviction, Scale); the definition's when absent. */
  readonly kind?: GroupVersionKind;
  readonly subresource?: string;
  readonly namespace: string;
  readonly name: string;
  readonly dryRun: boolean;
  readonly options: { readonly [key: string]: unknown };
  readonly oldObject?: UnstructuredObject;
}

/** The admission of one request: mutating steps on a draft, validating steps on the final object. */
export class Admission {
  readonly #services: RegistryServices;
  readonly #attributes: AdmissionAttributes;
  readonly #context: RequestContext;

  constructor(services: RegistryServices, context: RequestContext, input: AdmissionInput) {
    const { definition } = input;
    this.#services = services;
    this.#context = context;
    this.#attributes = {
      operation: input.operation,
      kind: input.kind ?? { group: definition.group, version: definition.version, kind: definition.kind },
      resource: { group: definition.group, version: definition.version, resource: definition.resource },
      subresource: input.subresource ?? '',
      namespace: definition.resource === 'namespaces' && definition.group === '' ? input.name : input.namespace,
      name: input.name,
      user: context.user,
      dryRun: input.dryRun,
      options: input.options,
      ...(input.oldObject ? { oldObject: input.oldObject } : {}),
      warn: (message) => context.warnings.push(message),
      annotateAudit: (key, value) => context.auditAnnotations.set(key, value),
    };
  }

  /** Returns whether any step may have changed the object. */
  async mutate(object: Draft<UnstructuredObject>): Promise<boolean> {
    const steps = this.#services.admission();
    const since = performance.now();
    let rejected = true;
    try {
      const touched = await this.#mutate(steps, object);
      if (touched && steps.some((step) => step.reinvoke?.(this.#attributes))) await this.#mutate(steps, object);
      rejected = false;
      return touched;
    } finally {
      this.#observePhase('admit', rejected, since);
    }
  }

  async #mutate(steps: readonly AdmissionStep[], object: Draft<UnstructuredObject>): Promise<boolean> {
    let touched = false;
    for (const step of steps) {
      if (!step.mutate || !step.handles(this.#attributes)) continue;
      touched = true;
      const since = performance.now();
      let rejected = true;
      try {
        const pending = step.mutate(this.#attributes, object);
        if (pending) await pending;
        rejected = false;
      } finally {
        this.#observeStep(step, 'admit', rejected, since);
      }
    }
    return touched;
  }

  /** `undefined`: a deletion. */
  async validate(object: UnstructuredObject | undefined): Promise<void> {
    const start = performance.now();
    let rejected = true;
    try {
      await this.#validate(object);
      rejected = false;
    } finally {
      this.#observePhase('validate', rejected, start);
    }
    // The last step before the store: a client that was told of a timeout finds things as they were.
    if (this.#context.expired) throw timedOut('Timeout: request did not complete within the allotted timeout');
  }

  async #validate(object: UnstructuredObject | undefined): Promise<void> {
    for (const step of this.#services.admission()) {
      if (!step.validate || !step.handles(this.#attributes)) continue;
      const since = performance.now();
      let rejected = true;
      try {
        const pending = step.validate(this.#attributes, object);
        if (pending) await pending;
        rejected = false;
      } finally {
        this.#observeStep(step, 'validate', rejected, since);
      }
    }
  }

  #observeStep(step: AdmissionStep, type: AdmissionType, rejected: boolean, since: number): void {
    const seconds = (performance.now() - since) / 1000;
    this.#services.admissionMetrics?.step(step, type, this.#attributes.operation, rejected, seconds);
  }

  #observePhase(type: AdmissionType, rejected: boolean, since: number): void {
    const seconds = (performance.now() - since) / 1000;
    this.#services.admissionMetrics?.phase(type, this.#attributes.operation, rejected, seconds);
  }
}
