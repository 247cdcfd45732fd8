import type { KindDefinition } from '../../../api/kind.ts';
import { schemaOf } from '../../../api/schema.ts';
import type { TokenRequest } from '../../../api/types/authentication.v1.gen.ts';
import { methodNotSupported, serviceUnavailable } from '../../../apimachinery/status-error.ts';
import type { RequestContext } from '../../request/request-context.ts';
import { objectResult, type Result } from '../../request/result.ts';
import { parseWriteOptions } from '../../request/write-options.ts';
import { Admission } from '../admit.ts';
import { readObject } from '../read-object.ts';
import type { RegistryServices } from '../registry-services.ts';
import type { TokenRequester } from '../reviews/review-services.ts';

/** POST to `/serviceaccounts/NAME/token`. */
export async function createToken(
  services: RegistryServices,
  context: RequestContext,
  accounts: KindDefinition,
  requester: TokenRequester | undefined,
): Promise<Result> {
  const { namespace, name, verb } = context.info;
  if (verb !== 'create') throw methodNotSupported(accounts, verb);
  if (!requester) throw serviceUnavailable('this server issues no ServiceAccount tokens');
  const options = parseWriteOptions(context, 'CreateOptions');
  const target = {
    group: 'authentication.k8s.io',
    version: 'v1',
    kind: 'TokenRequest',
    schema: schemaOf('authentication.v1.TokenRequest'),
  };
  const object = await readObject(context, target, options.fieldValidation);
  const admission = new Admission(services, context, {
    operation: 'CREATE',
    definition: accounts,
    kind: target,
    subresource: 'token',
    namespace,
    name,
    dryRun: options.dryRun,
    options: options.given,
  });
  await admission.mutate(object);
  await admission.validate(object);
  return objectResult(await requester(namespace, name, object as unknown as TokenRequest), 201);
}
