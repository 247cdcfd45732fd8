import type { KindDefinition, KindRegistry } from './kind.ts';

/** A registry that holds `definitions` at first. A second definition of the same resource replaces the first. */
export function createKindRegistry(definitions: readonly KindDefinition[] = []): KindRegistry {
  const resources = new Map<string, KindDefinition>();
  const kinds = new Map<string, KindDefinition>();
  const listeners = new Set<() => void>();
  let snapshot: readonly KindDefinition[] | undefined;

  const key = (group: string, version: string, name: string) => `${group}/${version}/${name}`;

  const put = (definition: KindDefinition) => {
    const { group, version, resource, kind } = definition;
    const previous = resources.get(key(group, version, resource));
    if (previous) drop(previous);
    resources.set(key(group, version, resource), definition);
    kinds.set(key(group, version, kind), definition);
    snapshot = undefined;
  };
  const drop = (definition: KindDefinition) => {
    const { group, version, resource, kind } = definition;
    resources.delete(key(group, version, resource));
    if (kinds.get(key(group, version, kind)) === definition) kinds.delete(key(group, version, kind));
    snapshot = undefined;
  };
  const notify = () => {
    for (const listener of [...listeners]) listener();
  };

  for (const definition of definitions) put(definition);

  return {
    byResource: (group, version, resource) => resources.get(key(group, version, resource)),
    byKind: (group, version, kind) => kinds.get(key(group, version, kind)),
    all() {
      snapshot ??= [...resources.values()];
      return snapshot;
    },
    add(definition) {
      put(definition);
      notify();
    },
    remove(group, version, resource) {
      const definition = resources.get(key(group, version, resource));
      if (!definition) return;
      drop(definition);
      notify();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
