/** Throws, or rejects, while it does not hold; the message goes to the log and to who asks for this check alone. */
export type HealthCheck = () => Promise<void> | void;

export type HealthEndpoint = 'healthz' | 'livez' | 'readyz';

/** The named checks behind `/healthz`, `/livez` and `/readyz`. */
export class HealthChecks {
  readonly #checks = new Map<HealthEndpoint, Map<string, HealthCheck>>([
    ['healthz', new Map()],
    ['livez', new Map()],
    ['readyz', new Map()],
  ]);

  /** Every endpoint named asks the check; returns its removal. */
  add(
    name: string,
    check: HealthCheck,
    endpoints: readonly HealthEndpoint[] = ['healthz', 'livez', 'readyz'],
  ): () => void {
    for (const endpoint of endpoints) this.#checks.get(endpoint)!.set(name, check);
    return () => {
      for (const endpoint of endpoints)
        if (this.#checks.get(endpoint)!.get(name) === check) this.#checks.get(endpoint)!.delete(name);
    };
  }

  of(endpoint: HealthEndpoint): ReadonlyMap<string, HealthCheck> {
    return this.#checks.get(endpoint)!;
  }
}
