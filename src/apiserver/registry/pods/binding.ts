import { bindPod, validateBinding } from '../../../api/core/pod-subresources.ts';
import type { KindDefinition } from '../../../api/kind.ts';
import { schemaOf } from '../../../api/schema.ts';
import type { Binding, Pod } from '../../../api/types/core.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { badRequest, conflict, invalid, methodNotAllowed } from '../../../apimachinery/status-error.ts';
import type { RequestContext } from '../../request/request-context.ts';
import { objectResult, type Result } from '../../request/result.ts';
import { parseWriteOptions } from '../../request/write-options.ts';
import { Admission } from '../admit.ts';
import { placeInNamespace } from '../object-metadata.ts';
import { readObject } from '../read-object.ts';
import { type RegistryServices, timestamp } from '../registry-services.ts';
import { updateObject } from '../update.ts';

/** POST to `/pods/NAME/binding`, or to `/bindings` with the pod's name in the body: assigns a pod to a node. */
export async function bind(services: RegistryServices, context: RequestContext, pods: KindDefinition): Promise<Result> {
  if (context.info.verb !== 'create') throw methodNotAllowed();
  const options = parseWriteOptions(context, 'CreateOptions');
  const target = { group: '', version: 'v1', kind: 'Binding', schema: schemaOf('core.v1.Binding') };
  const object = await readObject(context, target, options.fieldValidation);
  placeInNamespace(object, pods, context.info.namespace);
  const binding = object as unknown as Binding;
  const name = context.info.name || binding.metadata?.name || '';
  if (binding.metadata?.name !== name) throw badRequest('name in URL does not match name in Binding object');
  const admission = new Admission(services, context, {
    operation: 'CREATE',
    definition: pods,
    kind: target,
    subresource: 'binding',
    namespace: context.info.namespace,
    name,
    dryRun: options.dryRun,
    options: options.given,
  });
  await admission.mutate(object);
  const errors = validateBinding(binding);
  if (errors.length) throw invalid({ group: '', kind: 'Binding' }, name, errors);
  await admission.validate(object);
  await updateObject(services, context, {
    definition: pods,
    namespace: context.info.namespace,
    name,
    options,
    admitted: true,
    // Nobody owns what a binding sets.
    tracked: true,
    subresource: { name: 'binding', keepsGeneration: true, prepare: () => {}, validate: () => [] },
    next(old) {
      const pod = draft(old) as unknown as Draft<Pod>;
      const problem = bindPod(pod, binding, timestamp(services.now()));
      if (problem) throw conflict({ group: '', resource: 'pods/binding' }, name, problem);
      delete pod.metadata.resourceVersion;
      return pod as never;
    },
  });
  return objectResult({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}
