import type { IdentityObjects, ObjectGetter } from '../object-getter.ts';

/** An ObjectGetter over a plain map, for tests: `objects['pods/ns/name']`. */
export class FakeObjects implements ObjectGetter {
  readonly objects = new Map<string, unknown>();
  readonly late = new Map<string, unknown>();

  put(resource: keyof IdentityObjects, name: string, namespace: string | undefined, object: object): this {
    this.objects.set(key(resource, name, namespace), {
      metadata: { name, ...(namespace ? { namespace } : {}), uid: `uid-of-${name}` },
      ...object,
    });
    return this;
  }

  get<K extends keyof IdentityObjects>(resource: K, name: string, namespace?: string): IdentityObjects[K] | undefined {
    return this.objects.get(key(resource, name, namespace)) as IdentityObjects[K] | undefined;
  }

  async fetch<K extends keyof IdentityObjects>(
    resource: K,
    name: string,
    namespace?: string,
  ): Promise<IdentityObjects[K] | undefined> {
    return (this.late.get(key(resource, name, namespace)) ?? this.get(resource, name, namespace)) as
      | IdentityObjects[K]
      | undefined;
  }
}

export const key = (resource: string, name: string, namespace: string | undefined) =>
  `${resource}/${namespace ?? ''}/${name}`;
