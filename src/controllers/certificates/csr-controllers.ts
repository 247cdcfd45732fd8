import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '../../api/types/certificates.v1.gen.ts';
import { CertificateSigningRequests } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import {
  CLIENT_SIGNER,
  clientProblem,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  kubeletClientProblem,
  kubeletServingProblem,
  LEGACY_SIGNER,
  parseRequest,
  type RequestedCertificate,
  requestPem,
} from './certification-request.ts';

export interface SigningRequest {
  /** PKCS#10, PEM. */
  readonly csr: string;
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number;
}

export interface CertificateSigningOptions {
  /** Signs with the cluster's CA; returns the chain, PEM. Throws when the request can't be signed. */
  readonly sign: (request: SigningRequest) => Promise<string>;
}

const SIGNERS: Readonly<
  Record<string, ((requested: RequestedCertificate, usages: readonly string[]) => string | undefined) | undefined>
> = {
  [CLIENT_SIGNER]: clientProblem,
  [KUBELET_CLIENT_SIGNER]: kubeletClientProblem,
  [KUBELET_SERVING_SIGNER]: kubeletServingProblem,
  [LEGACY_SIGNER]: () => undefined,
};

const has = (request: CertificateSigningRequest, type: string) =>
  request.status?.conditions?.some((condition) => condition.type === type && condition.status !== 'False') ?? false;

/** Signs approved requests for Kubernetes' own signers. */
export function csrSigningController({ sign }: CertificateSigningOptions): ControllerDefinition {
  return defineController({
    name: 'certificatesigningrequest-signing-controller',
    watches: [
      watch(CertificateSigningRequests, { when: ({ type, object }) => type !== 'delete' && has(object, 'Approved') }),
    ],
    async reconcile({ key }, { client, informer, now }) {
      const request = informer(CertificateSigningRequests).get(key);
      if (!request || request.status?.certificate) return;
      const { signerName, usages = [], expirationSeconds } = request.spec;
      const check = SIGNERS[signerName];
      if (!check || !has(request, 'Approved') || has(request, 'Denied') || has(request, 'Failed')) return;
      const problem = check(await parseRequest(request), usages);
      if (problem) {
        const time = timestamp(now());
        const failed = {
          type: 'Failed',
          status: 'True',
          reason: 'SignerValidationFailure',
          message: problem,
          lastUpdateTime: time,
          lastTransitionTime: time,
        };
        const conditions = [...(request.status?.conditions ?? []), failed];
        await client
          .for(CertificateSigningRequests)
          .updateStatus({ ...request, status: { ...request.status, conditions } });
        return;
      }
      const chain = await sign({ csr: requestPem(request), signerName, usages, expirationSeconds });
      const certificate = Buffer.from(chain).toString('base64');
      await client
        .for(CertificateSigningRequests)
        .updateStatus({ ...request, status: { ...request.status, certificate } });
    },
  });
}

/** Approves the client certificates that kubelets ask for, if whoever asks may: bootstrap tokens, and nodes for themselves. */
export function csrApprovingController(): ControllerDefinition {
  return defineController({
    name: 'certificatesigningrequest-approving-controller',
    watches: [
      watch(CertificateSigningRequests, {
        when: ({ type, object }) => type !== 'delete' && object.spec.signerName === KUBELET_CLIENT_SIGNER,
      }),
    ],
    async reconcile({ key, name }, context) {
      const request = context.informer(CertificateSigningRequests).get(key);
      if (!request || request.status?.certificate || has(request, 'Approved') || has(request, 'Denied')) return;
      const { usages = [], username } = request.spec;
      const requested = await parseRequest(request);
      if (kubeletClientProblem(requested, usages)) return;
      const ownName = requested.commonName === username;
      const ways = [
        ...(ownName
          ? [
              {
                subresource: 'selfnodeclient',
                message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
              },
            ]
          : []),
        { subresource: 'nodeclient', message: 'Auto approving kubelet client certificate after SubjectAccessReview.' },
      ];
      for (const { subresource, message } of ways) {
        if (!(await mayRequest(request, subresource, context))) continue;
        const time = timestamp(context.now());
        const approved = {
          type: 'Approved',
          status: 'True',
          reason: 'AutoApproved',
          message,
          lastUpdateTime: time,
          lastTransitionTime: time,
        };
        const conditions = [...(request.status?.conditions ?? []), approved];
        await context.client
          .for(CertificateSigningRequests)
          .replaceSubresource({ name }, 'approval', { ...request, status: { ...request.status, conditions } });
        return;
      }
    },
  });
}

async function mayRequest(
  { spec }: CertificateSigningRequest,
  subresource: string,
  { client }: ControllerContext,
): Promise<boolean> {
  const response = await client.request<{ status?: { allowed?: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: spec.username,
        uid: spec.uid,
        groups: spec.groups,
        extra: spec.extra,
        resourceAttributes: {
          group: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          verb: 'create',
          subresource,
        },
      },
    },
  });
  return response.body.status?.allowed === true;
}

const HOUR_MS = 3_600_000;

/** Deletes requests that are settled for an hour, pending for a day, or whose certificate is expired. */
export function csrCleanerController(): ControllerDefinition {
  return defineController({
    name: 'certificatesigningrequest-cleaner-controller',
    watches: [],
    initialKeys: ['clean'],
    async reconcile(_request, { client, now }) {
      const requests = client.for(CertificateSigningRequests);
      for (const request of (await requests.list({ resourceVersion: '0' })).items)
        if (isStale(request, now()))
          await requests
            .delete({ name: request.metadata.name }, { preconditions: { uid: request.metadata.uid } })
            .catch(ignoreNotFound);
      return { requeueAfterMs: HOUR_MS };
    },
  });
}

function isStale(request: CertificateSigningRequest, now: number): boolean {
  const conditions = request.status?.conditions ?? [];
  const age = (time: string | undefined) => now - Date.parse(time ?? '');
  const { certificate } = request.status ?? {};
  if (certificate) {
    try {
      if (Date.parse(new X509Certificate(Buffer.from(certificate, 'base64')).validTo) < now) return true;
    } catch {
      // Not ours to judge: another signer wrote it.
    }
  }
  if (conditions.length === 0) return age(request.metadata.creationTimestamp) > 24 * HOUR_MS;
  return conditions.some(({ type, lastUpdateTime }) => {
    if (type === 'Approved') return age(lastUpdateTime) > (certificate ? HOUR_MS : 24 * HOUR_MS);
    return age(lastUpdateTime) > HOUR_MS;
  });
}
