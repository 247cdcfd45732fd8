import type { KindDefinition } from '../../api/kind.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { methodNotAllowed, notFound } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { unstored } from './create.ts';

/** Asks whether a part of the control plane is well; throws or returns why not. */
export type ComponentCheck = () => Promise<void> | void;

/** The deprecated ComponentStatus: made up at every request from the checks. */
export async function serveComponentStatuses(
  context: RequestContext,
  definition: KindDefinition,
  checks: ReadonlyMap<string, ComponentCheck>,
): Promise<Result> {
  const { verb, name } = context.info;
  if (verb === 'list') {
    const objects = await Promise.all([...checks].map(([component, check]) => statusOf(component, check)));
    return { type: 'list', definition, entries: objects.map((object) => unstored(definition, object)), metadata: {} };
  }
  if (verb !== 'get') throw methodNotAllowed();
  const check = checks.get(name);
  if (!check) throw notFound(definition, name);
  return { type: 'entry', status: 200, definition, entry: unstored(definition, await statusOf(name, check)) };
}

async function statusOf(name: string, check: ComponentCheck): Promise<UnstructuredObject> {
  let condition: object = { type: 'Healthy', status: 'True', message: 'ok' };
  try {
    await check();
  } catch (error) {
    condition = { type: 'Healthy', status: 'False', message: error instanceof Error ? error.message : String(error) };
  }
  return { apiVersion: 'v1', kind: 'ComponentStatus', metadata: { name }, conditions: [condition] };
}
