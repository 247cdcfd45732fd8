import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import { WebhookCaller, type WebhookServices } from './webhook-caller.ts';

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** The webhooks of all configurations of one sort, in order. */
export class WebhookConfigurations {
  readonly #services: WebhookServices;
  readonly #configurations = new Map<string, readonly WebhookCaller[]>();
  #all: readonly WebhookCaller[] | undefined;

  constructor(services: WebhookServices) {
    this.#services = services;
  }

  upsert({ metadata: { name }, webhooks = [] }: Configuration): void {
    this.#configurations.set(
      name,
      webhooks.map((webhook) => new WebhookCaller(this.#services, name, webhook)),
    );
    this.#all = undefined;
  }

  remove({ metadata: { name } }: Configuration): void {
    this.#configurations.delete(name);
    this.#all = undefined;
  }

  all = (): readonly WebhookCaller[] => {
    this.#all ??= [...this.#configurations.keys()].sort().flatMap((name) => this.#configurations.get(name)!);
    return this.#all;
  };
}
