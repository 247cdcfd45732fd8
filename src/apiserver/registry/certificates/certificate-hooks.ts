import { prepareApproval, validateApproval } from '../../../api/certificates/certificate-signing-request.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { ResourceHooks } from '../resource-hooks.ts';
import type { SubresourceStrategy } from '../update.ts';

type Request = CertificateSigningRequest;

/** Who asks for a certificate is who makes the request. */
export const certificateHooks: ResourceHooks = {
  beginCreate(object, { user }) {
    const { spec } = object as unknown as Draft<Request>;
    if (!spec) return undefined;
    spec.username = user.name;
    spec.groups = [...user.groups];
    if (user.uid) spec.uid = user.uid;
    if (user.extra) spec.extra = draft(user.extra);
    return undefined;
  },
};

/** `/approval`: the conditions, and labels and annotations along with them. */
export function approvalStrategy(now: () => number): SubresourceStrategy {
  return {
    name: 'approval',
    prepare(object, old) {
      prepareApproval(object as unknown as Draft<Request>, old as unknown as Request, new Date(now()));
    },
    validate: (object, old) => validateApproval(object as unknown as Request, old as unknown as Request),
  };
}
