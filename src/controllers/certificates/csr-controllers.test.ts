import { webcrypto } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateSigningRequests, Secrets, ServiceAccounts } from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { tokenSecretController } from '../service-account/token-secret-controller.ts';
import { csrApprovingController, csrCleanerController, csrSigningController } from './csr-controllers.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

async function csr(name: string, subject: string, spec: object = {}, status?: object) {
  await import('reflect-metadata');
  const { Pkcs10CertificateRequestGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create(
    { name: subject, keys: keys as never, signingAlgorithm: algorithm },
    webcrypto as never,
  );
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
      username: 'system:bootstrap:abc',
      groups: ['system:bootstrappers'],
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}
const approved = { conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: new Date().toISOString() }] };
const get = (name: string) => run.api.get(CertificateSigningRequests, name);

describe('certificate signing request controllers', () => {
  it('sign what is approved and conforms to its signer', async () => {
    const seen: unknown[] = [];
    const sign = async ({ csr: pem, ...rest }: { csr: string }) => {
      seen.push(rest);
      return `SIGNED ${pem.slice(0, 35)}`;
    };
    run = await runControllers([csrSigningController({ sign })], {
      objects: [
        await csr('good', 'O=system:nodes, CN=system:node:n1', { expirationSeconds: 3600 }, approved),
        await csr('bad', 'O=system:masters, CN=system:node:n1', {}, approved),
        await csr('pending', 'O=system:nodes, CN=system:node:n1'),
        await csr('foreign', 'CN=x', { signerName: 'acme.dev/x' }, approved),
      ],
    });
    await run.eventually(() => get('good')?.status?.certificate);
    expect(Buffer.from(get('good')?.status?.certificate ?? '', 'base64').toString()).toBe(
      'SIGNED -----BEGIN CERTIFICATE REQUEST-----',
    );
    await run.eventually(() => get('bad')?.status?.conditions?.some(({ type }) => type === 'Failed'));
    expect(seen).toEqual([
      {
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['digital signature', 'client auth'],
        expirationSeconds: 3600,
      },
    ]);
    expect(get('pending')?.status).toBeUndefined();
    expect(get('foreign')?.status?.certificate).toBeUndefined();
  });

  it('approve kubelets that may ask', async () => {
    run = await runControllers([csrApprovingController()]);
    run.api.answer('/apis/authorization.k8s.io/v1/subjectaccessreviews', (body) => {
      const { user, resourceAttributes } = (
        body as { spec: { user: string; resourceAttributes: { subresource: string } } }
      ).spec;
      return {
        status: { allowed: user === 'system:bootstrap:abc' && resourceAttributes.subresource === 'nodeclient' },
      };
    });
    run.api.put(await csr('bootstrap', 'O=system:nodes, CN=system:node:n1'));
    run.api.put(await csr('stranger', 'O=system:nodes, CN=system:node:n1', { username: 'eve' }));
    await run.eventually(() => get('bootstrap')?.status?.conditions?.length === 1);
    expect(get('bootstrap')?.status?.conditions?.[0]).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(get('stranger')?.status?.conditions).toBeUndefined();
  });

  it('clean up old requests', async () => {
    const old = new Date(Date.now() - 25 * 3_600_000).toISOString();
    const young = await csr('young', 'CN=a');
    const aged = await csr('aged', 'CN=a');
    run = await runControllers([csrCleanerController()], {
      objects: [young, { ...aged, metadata: { name: 'aged', creationTimestamp: old } }],
    });
    await run.eventually(() => !get('aged'));
    expect(get('young')).toBeDefined();
  });
});

describe('service account token controller', () => {
  it('fills token Secrets and deletes those without an account', async () => {
    const secret = (name: string, account: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default', annotations: { 'kubernetes.io/service-account.name': account } },
      type: 'kubernetes.io/service-account-token',
    });
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app', namespace: 'default' } };
    run = await runControllers(
      [tokenSecretController({ rootCa: 'PEM', issue: (sa) => `token of ${sa.metadata.name}` })],
      {
        objects: [account, secret('mine', 'app'), secret('lost', 'nobody')],
      },
    );
    await run.eventually(() => run.api.get(Secrets, 'mine', 'default')?.data?.token);
    expect(run.api.get(Secrets, 'mine', 'default')?.data).toEqual({
      token: Buffer.from('token of app').toString('base64'),
      namespace: Buffer.from('default').toString('base64'),
      'ca.crt': Buffer.from('PEM').toString('base64'),
    });
    await run.eventually(() => !run.api.get(Secrets, 'lost', 'default'));
    run.api.remove(ServiceAccounts, 'app', 'default');
    await run.eventually(() => !run.api.get(Secrets, 'mine', 'default'));
  });
});
