import type { KindRegistry } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import type { CrdController } from './crd-controller.ts';

export interface CustomResourcesOptions {
  readonly kinds: KindRegistry;
  readonly services: RegistryServices;
  readonly router: RequestRouter;
  readonly reader: ObjectReader;
  readonly transport: Transport;
  readonly webhooks: () => Promise<WebhookClient>;
  readonly logger: Logger;
}

/** Custom resources of an API server. Until there is a CRD, nothing of it is loaded. */
export class CustomResources {
  readonly #options: CustomResourcesOptions;
  #controller: CrdController | undefined;
  #loading: Promise<void> | undefined;
  #waiting: ((controller: CrdController) => void)[] = [];
  #unsubscribe: (() => void) | undefined;

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Resolves when what the CRDs of the datastore define is served. Called when the cache has been loaded. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.reader.subscribe<CustomResourceDefinition>(
      ['customresourcedefinitions.apiextensions.k8s.io'],
      {
        upsert: (crd) => this.#tell((controller) => controller.upsert(crd)),
        remove: (crd) => this.#tell((controller) => controller.remove(crd)),
      },
    );
    await this.#loading;
    await this.#controller?.ready();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#controller?.stop();
    this.#waiting = [];
  }

  #tell(what: (controller: CrdController) => void): void {
    if (this.#controller) {
      what(this.#controller);
      return;
    }
    this.#waiting.push(what);
    this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    const [{ CrdController }, { webhookConverter }] = await Promise.all([
      import('./crd-controller.ts'),
      import('./webhook-conversion.ts'),
    ]);
    const { webhooks, ...options } = this.#options;
    const client = await webhooks();
    this.#controller = new CrdController({
      ...options,
      converter({ spec: { conversion } }) {
        const webhook = conversion?.strategy === 'Webhook' ? conversion.webhook : undefined;
        return webhook?.clientConfig && webhookConverter(webhook, client);
      },
    });
    for (const what of this.#waiting) what(this.#controller);
    this.#waiting = [];
  }
}
