import type { CertificateSigningRequest } from '../../api/types/certificates.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { SYSTEM_MASTERS } from '../../sdk/user.ts';
import { isFor, quote, rejected } from './rejection.ts';

const GROUP = 'certificates.k8s.io';
const RESOURCE = 'certificatesigningrequests';

async function maySign(
  authorizer: Authorizer,
  { user }: AdmissionAttributes,
  verb: 'approve' | 'sign',
  signerName: string,
): Promise<boolean> {
  const ask = async (name: string) =>
    (
      await authorizer.authorize({
        user,
        verb,
        resourceRequest: true,
        group: GROUP,
        version: '*',
        resource: 'signers',
        subresource: '',
        namespace: '',
        name,
        path: '',
      })
    ).decision === 'allow';
  return (await ask(signerName)) || ask(`${signerName.slice(0, signerName.indexOf('/'))}/*`);
}

/** Who approves a certificate must be allowed to approve for its signer. */
export function certificateApproval(authorizer: Authorizer): AdmissionStep {
  return {
    name: 'CertificateApproval',
    handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, GROUP, RESOURCE, 'approval'),
    async validate(attributes, object) {
      const { signerName } = (object as unknown as CertificateSigningRequest).spec;
      if (await maySign(authorizer, attributes, 'approve', signerName)) return;
      throw rejected(attributes, object, `user not permitted to approve requests with signerName ${quote(signerName)}`);
    },
  };
}

/** Who puts a certificate or a condition into a request's status must be allowed to sign for its signer. */
export function certificateSigning(authorizer: Authorizer): AdmissionStep {
  return {
    name: 'CertificateSigning',
    handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, GROUP, RESOURCE, 'status'),
    async validate(attributes, object) {
      const request = object as unknown as CertificateSigningRequest;
      const old = attributes.oldObject as unknown as CertificateSigningRequest;
      const signed = ({ status }: CertificateSigningRequest) => [status?.certificate, status?.conditions ?? []];
      if (deepEqual(signed(request), signed(old))) return;
      const { signerName } = old.spec;
      if (await maySign(authorizer, attributes, 'sign', signerName)) return;
      throw rejected(attributes, object, `user not permitted to sign requests with signerName ${quote(signerName)}`);
    },
  };
}

/** Nobody gets a client certificate that makes them a member of `system:masters`. */
export const certificateSubjectRestriction: AdmissionStep = {
  name: 'CertificateSubjectRestriction',
  handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, GROUP, RESOURCE),
  async validate(attributes, object) {
    const { spec } = object as unknown as CertificateSigningRequest;
    if (spec.signerName !== 'kubernetes.io/kube-apiserver-client') return;
    const organizations = await organizationsOf(spec.request).catch((error: Error) => {
      throw rejected(attributes, object, `failed to parse CSR: ${error.message}`);
    });
    if (organizations.includes(SYSTEM_MASTERS))
      throw rejected(
        attributes,
        object,
        `use of ${spec.signerName} signer with ${SYSTEM_MASTERS} group is not allowed`,
      );
  },
};

async function organizationsOf(request: string): Promise<readonly string[]> {
  const { Pkcs10CertificateRequest } = await import('./x509-library.ts');
  const pem = Buffer.from(request, 'base64').toString('utf8');
  return new Pkcs10CertificateRequest(pem).subjectName.getField('O');
}
