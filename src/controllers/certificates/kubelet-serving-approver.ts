import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { CertificateSigningRequests } from '../../client/resource-types.gen.ts';
import { timestamp } from '../conditions.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import {
  KUBELET_SERVING_SIGNER,
  kubeletServingProblem,
  parseRequest,
  type RequestedCertificate,
} from './certification-request.ts';

export interface KubeletServingApproverOptions {
  /** Addresses in these ranges are Services', never a node's. */
  readonly serviceCIDRs: readonly string[];
}

/**
 * Approves the certificates that nodes serve with. Upstream leaves it to people or add-ons. A node gets its own name only, and
 * addresses that a host can have; that it has them nobody can check here, so whoever may be a node is trusted with that.
 */
export function kubeletServingApprover(options: KubeletServingApproverOptions): ControllerDefinition {
  const serviceRanges = options.serviceCIDRs.map((range) => ipaddr.parseCIDR(range));
  return defineController({
    name: 'kubelet-serving-approver',
    watches: [
      watch(CertificateSigningRequests, {
        when: ({ type, object }) => type !== 'delete' && object.spec.signerName === KUBELET_SERVING_SIGNER,
      }),
    ],
    async reconcile({ key, name }, { client, informer, now }) {
      const request = informer(CertificateSigningRequests).get(key);
      const conditions = request?.status?.conditions ?? [];
      if (!request || conditions.some(({ type }) => type === 'Approved' || type === 'Denied')) return;
      const { username, groups = [], usages = [] } = request.spec;
      const requested = await parseRequest(request);
      if (username !== requested.commonName || !groups.includes('system:nodes')) return;
      if (kubeletServingProblem(requested, usages) || !hasOwnNamesOnly(requested, serviceRanges)) return;
      const time = timestamp(now());
      const approved = {
        type: 'Approved',
        status: 'True',
        reason: 'AutoApproved',
        message: 'Auto approving the serving certificate of a kubelet for its own name and addresses.',
        lastUpdateTime: time,
        lastTransitionTime: time,
      };
      await client.for(CertificateSigningRequests).replaceSubresource({ name }, 'approval', {
        ...request,
        status: { ...request.status, conditions: [...conditions, approved] },
      });
    },
  });
}

function hasOwnNamesOnly(
  { commonName, dnsNames, ipAddresses }: RequestedCertificate,
  serviceRanges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][],
): boolean {
  const nodeName = commonName.slice('system:node:'.length);
  return (
    dnsNames.every((dnsName) => dnsName === nodeName && !CLUSTER_NAMES.test(dnsName)) &&
    ipAddresses.every((ip) => isHostAddress(ip, serviceRanges))
  );
}

/** Names that clients know the API server by. */
const CLUSTER_NAMES = /^(localhost|kubernetes(\..*)?)$/;

function isHostAddress(text: string, serviceRanges: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][]): boolean {
  if (!isIP(text)) return false;
  const address = ipaddr.process(text);
  if (['loopback', 'unspecified', 'multicast', 'broadcast'].includes(address.range())) return false;
  return !serviceRanges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
}
