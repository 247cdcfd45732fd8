import type { Environment } from '@marcbachmann/cel-js';

class JsonPatchNamespace {}

/** `jsonpatch.escapeKey`: a key as a step of a JSON pointer. */
export function registerJsonPatches(environment: Environment): void {
  environment.registerType('JsonPatchNamespace', JsonPatchNamespace as never);
  environment.registerConstant('jsonpatch', 'JsonPatchNamespace', new JsonPatchNamespace() as never);
  environment.registerFunction(
    'JsonPatchNamespace.escapeKey(string): string',
    ((_: unknown, key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')) as never,
    { async: false } as never,
  );
}
