import type { KindDefinition } from '../../../api/kind.ts';
import { schemaOf } from '../../../api/schema.ts';
import type { TokenRequest } from '../../../api/types/authentication.v1.gen.ts';
import { methodNotAllowed, serviceUnavailable } from '../../../apimachinery/status-error.ts';
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
  if (verb !== 'create') throw methodNotAllowed();
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
  const issued = await requester(namespace, name, object as unknown as TokenRequest);
  const id = credentialId(issued.status?.token ?? '');
  if (id) context.auditAnnotations.set('authentication.kubernetes.io/issued-credential-id', id);
  return objectResult(issued, 201);
}

/** As the audit log names it, and later the requests that are made with it. */
function credentialId(token: string): string | undefined {
  const [, payload = ''] = token.split('.');
  try {
    const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { readonly jti?: string };
    return jti ? `JTI=${jti}` : undefined;
  } catch {
    return undefined;
  }
}
