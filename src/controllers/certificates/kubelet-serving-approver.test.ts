import { webcrypto } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { CertificateSigningRequests } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { kubeletServingApprover } from './kubelet-serving-approver.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

interface Wish {
  readonly subject?: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly spec?: object;
}

async function csr(
  name: string,
  { subject = 'O=system:nodes, CN=system:node:n1', dns = ['n1'], ips = ['10.0.0.7'], spec = {} }: Wish = {},
) {
  await import('reflect-metadata');
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: subject,
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [new SubjectAlternativeNameExtension(names)],
    },
    webcrypto as never,
  );
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
      username: 'system:node:n1',
      groups: ['system:nodes', 'system:authenticated'],
      ...spec,
    },
  };
}

it('approves what a node may serve as, and leaves everything else to people', async () => {
  const requests = await Promise.all([
    csr('of another node', { subject: 'O=system:nodes, CN=system:node:n2', dns: ['n2'] }),
    csr('with the name of another', { dns: ['n1', 'n2'] }),
    csr('as the API server', {
      subject: 'O=system:nodes, CN=system:node:kubernetes',
      dns: ['kubernetes'],
      spec: { username: 'system:node:kubernetes' },
    }),
    csr('for loopback', { ips: ['127.0.0.1'] }),
    csr('for a Service', { ips: ['10.0.0.7', '10.96.0.1'] }),
    csr('by no node', { spec: { groups: ['system:authenticated'] } }),
    csr('for a client', { spec: { usages: ['client auth'] } }),
    csr('as it should be'),
  ]);
  run = await runControllers([kubeletServingApprover({ serviceCIDRs: ['10.96.0.0/16'] })], { objects: requests });
  const conditions = (name: string) => run.api.get(CertificateSigningRequests, name)?.status?.conditions;
  await run.eventually(() => conditions('as it should be')?.some(({ type }) => type === 'Approved'));
  for (const { metadata } of requests.slice(0, -1)) expect(conditions(metadata.name), metadata.name).toBeUndefined();
});
