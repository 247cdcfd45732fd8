import type { CertificateSigningRequest } from '../../api/types/certificates.v1.gen.ts';

/** What signers and approvers look at in a PKCS#10 request. */
export interface RequestedCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
}

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING_SIGNER = 'kubernetes.io/kubelet-serving';
export const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';

/** The PEM text of `spec.request`. */
export function requestPem(request: CertificateSigningRequest): string {
  return Buffer.from(request.spec.request, 'base64').toString('utf8');
}

/** Throws for what is no certification request. */
export async function parseRequest(request: CertificateSigningRequest): Promise<RequestedCertificate> {
  // Heavy, and needed by clusters that issue certificates alone.
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import('./x509-library.ts');
  const parsed = new Pkcs10CertificateRequest(requestPem(request));
  const names = parsed.extensions.find((extension) => extension instanceof SubjectAlternativeNameExtension);
  const all = names instanceof SubjectAlternativeNameExtension ? names.names.items : [];
  const ofType = (type: string) => all.filter((name) => name.type === type).map(({ value }) => value);
  return {
    commonName: parsed.subjectName.getField('CN')[0] ?? '',
    organizations: parsed.subjectName.getField('O'),
    dnsNames: ofType('dns'),
    ipAddresses: ofType('ip'),
    emailAddresses: ofType('email'),
    uris: ofType('url'),
  };
}

const KEY_USAGES = new Set(['digital signature', 'key encipherment']);

/** Why the request is not one for a kubelet's client certificate, or undefined. */
export function kubeletClientProblem(requested: RequestedCertificate, usages: readonly string[]): string | undefined {
  if (requested.organizations.length !== 1 || requested.organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  if (requested.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (requested.emailAddresses.length > 0) return 'email subjectAltNames are not allowed';
  if (requested.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed';
  if (requested.uris.length > 0) return 'URI subjectAltNames are not allowed';
  if (!requested.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:';
  return usageProblem(usages, 'client auth');
}

export function kubeletServingProblem(requested: RequestedCertificate, usages: readonly string[]): string | undefined {
  if (requested.organizations.length !== 1 || requested.organizations[0] !== 'system:nodes')
    return 'subject organization is not system:nodes';
  if (requested.dnsNames.length === 0 && requested.ipAddresses.length === 0)
    return 'at least one DNS or IP subjectAltName is required';
  if (requested.emailAddresses.length > 0) return 'email subjectAltNames are not allowed';
  if (requested.uris.length > 0) return 'URI subjectAltNames are not allowed';
  if (!requested.commonName.startsWith('system:node:')) return 'subject common name does not begin with system:node:';
  return usageProblem(usages, 'server auth');
}

export function clientProblem(_requested: RequestedCertificate, usages: readonly string[]): string | undefined {
  return usageProblem(usages, 'client auth');
}

function usageProblem(usages: readonly string[], needed: string): string | undefined {
  const others = usages.filter((usage) => usage !== needed && !KEY_USAGES.has(usage));
  return usages.includes(needed) && others.length === 0
    ? undefined
    : `usages must be ${needed}, with digital signature and key encipherment at most`;
}
