import type { AdmissionStep } from '../../sdk/admission.ts';

/** Steps that run last, whatever comes in at run time: the plugins' authority, and what is charged for. */
const LAST = ['PluginConfiguration', 'RBACEscalation', 'ResourceQuota', 'AlwaysDeny'];

/** Where those that run last begin. */
export function firstOfLast(steps: readonly AdmissionStep[]): number {
  const index = steps.findIndex(({ name }) => LAST.includes(name));
  return index < 0 ? steps.length : index;
}

/** The admission steps of an API server; plugins come and go while it runs. */
export class AdmissionChain {
  #steps: readonly AdmissionStep[];

  constructor(steps: readonly AdmissionStep[]) {
    this.#steps = steps;
  }

  get steps(): readonly AdmissionStep[] {
    return this.#steps;
  }

  /** Adds a step after the built-in ones, but before those that must see the final object. Returns its removal. */
  register(step: AdmissionStep): () => void {
    this.#steps = this.#steps.toSpliced(firstOfLast(this.#steps), 0, step);
    return () => {
      this.#steps = this.#steps.filter((known) => known !== step);
    };
  }
}
