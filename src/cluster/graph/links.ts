import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Component } from './component.ts';

/** Throws CodedError when a name is taken twice, a required name is unknown, or components require each other in a circle. */
export function checkLinks(components: readonly Component[]): void {
  const byName = new Map<string, Component>();
  for (const component of components) {
    if (byName.has(component.name)) throw broken(`two components are named "${component.name}"`);
    byName.set(component.name, component);
  }
  for (const component of components) {
    for (const name of component.requires) {
      const required = byName.get(name);
      if (!required) throw broken(`component "${component.name}" requires "${name}", which does not exist`);
      if (required.phase > component.phase) {
        throw broken(
          `component "${component.name}" of phase ${component.phase} requires "${name}" of phase ${required.phase}`,
        );
      }
    }
  }
  const done = new Set<string>();
  const visit = (component: Component, path: readonly string[]) => {
    if (done.has(component.name)) return;
    const at = path.indexOf(component.name);
    if (at >= 0)
      throw broken(`components require each other in a circle: ${[...path.slice(at), component.name].join(' -> ')}`);
    for (const name of component.requires) visit(byName.get(name)!, [...path, component.name]);
    done.add(component.name);
  };
  for (const component of components) visit(component, []);
}

function broken(message: string): CodedError {
  return new CodedError('BOOT_GRAPH_INVALID', message, 'Correct the `requires` of the component that is named.');
}
