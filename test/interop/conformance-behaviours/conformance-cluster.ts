import type { ClusterOptions } from '../../../src/cluster/options.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { ApiClient, type Body, type Event, type Watch } from '../api-behaviours/api-client.ts';

export const STRATEGIC = 'strategic-merge-patch+json';
export const MERGE = 'merge-patch+json';
export const JSON_PATCH = 'json-patch+json';

/** One cluster for many behaviours, each in a namespace of its own. */
export class ConformanceCluster {
  readonly embedded: EmbeddedCluster;
  readonly api: ApiClient;
  #namespaces = 0;

  private constructor(embedded: EmbeddedCluster) {
    this.embedded = embedded;
    this.api = new ApiClient(embedded);
  }

  static async start(options: ClusterOptions = {}): Promise<ConformanceCluster> {
    return new ConformanceCluster(await startEmbedded({ nodes: 2, disable: ['dashboard', 'ingress'], ...options }));
  }

  /** Its name, when pods can be made in it; it carries the name as a label too. */
  async namespace(): Promise<string> {
    const name = `conformance-${++this.#namespaces}`;
    await this.post('/api/v1/namespaces', { metadata: { name, labels: { [name]: 'true' } } });
    await eventually(() => this.api.ok(`/api/v1/namespaces/${name}/serviceaccounts/default`));
    return name;
  }

  get(path: string): Promise<Body> {
    return this.api.ok(path);
  }

  async items(path: string): Promise<readonly Body[]> {
    return (await this.get(path)).items ?? [];
  }

  post(path: string, body: unknown): Promise<Body> {
    return this.api.ok(path, { method: 'POST', body });
  }

  put(path: string, body: unknown): Promise<Body> {
    return this.api.ok(path, { method: 'PUT', body });
  }

  delete(path: string, body?: unknown): Promise<Body> {
    return this.api.ok(path, { method: 'DELETE', body });
  }

  async patch(path: string, type: string, body: unknown): Promise<Body> {
    const answer = await this.api.patch(path, type, body);
    if (answer.code >= 300) throw new Error(`PATCH ${path}: ${answer.code} ${answer.body.message}`);
    return answer.body;
  }

  gone(path: string): Promise<boolean> {
    return eventually(async () => (await this.api.send(path)).code === 404);
  }

  async stop(): Promise<void> {
    this.api.close();
    await this.embedded.stop();
  }
}

/** The first event of the watch that fits, once it has come. */
export function seen(watch: Watch, fits: (event: Event) => boolean): Promise<Event> {
  return eventually(() => {
    const event = watch.events.find(fits);
    if (event) return event;
    throw new Error(
      `not among ${watch.events.map(({ type, object }) => `${type} ${object.metadata.name}`).join(', ')}`,
    );
  });
}

export const container = (name = 'main', more: object = {}) => ({ name, image: 'registry.example/app:1', ...more });

export function conditionOf(object: Body, type: string): Body | undefined {
  return object.status?.conditions?.find((condition: Body) => condition.type === type);
}
