import ipaddr from 'ipaddr.js';
import type { IPAddress, ServiceCIDR } from '../api/types/networking.v1.gen.ts';
import { IPAddresses, ServiceCIDRs } from '../client/resource-types.gen.ts';
import { withCondition } from './conditions.ts';
import { ignoreNotFound } from './parallel.ts';
import { type ControllerDefinition, defineController, watch } from './runtime/index.ts';

const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

/** Says that a ServiceCIDR is ready, and holds one that is deleted while addresses of it are in use nowhere else. */
export function serviceCidrController(): ControllerDefinition {
  return defineController({
    name: 'service-cidr-controller',
    watches: [
      watch(ServiceCIDRs, {
        keys: (_cidr, { informer }) =>
          informer(ServiceCIDRs)
            .list()
            .map(({ metadata }) => metadata.name),
      }),
      watch(IPAddresses, {
        when: ({ type }) => type === 'delete',
        keys: (_address, { informer }) =>
          informer(ServiceCIDRs)
            .list()
            .filter(({ metadata }) => metadata.deletionTimestamp)
            .map(({ metadata }) => metadata.name),
      }),
    ],
    async reconcile({ key, name }, { client, informer, now }) {
      const cidr = informer(ServiceCIDRs).get(key);
      if (!cidr) return;
      const cidrs = client.for(ServiceCIDRs);
      const setReady = async (status: 'True' | 'False', reason: string, message: string) => {
        const conditions = withCondition(
          cidr.status?.conditions,
          { type: 'Ready', status, reason, message } as never,
          now(),
        );
        if (conditions !== cidr.status?.conditions)
          await cidrs.updateStatus({ ...cidr, status: { ...cidr.status, conditions } });
      };
      if (!cidr.metadata.deletionTimestamp) {
        if (!cidr.metadata.finalizers?.includes(FINALIZER)) {
          const finalizers = [...(cidr.metadata.finalizers ?? []), FINALIZER];
          await cidrs.update({ ...cidr, metadata: { ...cidr.metadata, finalizers } });
          return;
        }
        return setReady('True', '', 'Kubernetes Service CIDR is ready');
      }
      if (!cidr.metadata.finalizers?.includes(FINALIZER)) return;
      const others = informer(ServiceCIDRs)
        .list()
        .filter((other) => other.metadata.name !== name && !other.metadata.deletionTimestamp);
      const orphaned = informer(IPAddresses)
        .list()
        .some((address) => covers(cidr, address) && !others.some((other) => covers(other, address)));
      if (orphaned)
        return setReady(
          'False',
          'Terminating',
          'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
        );
      const finalizers = cidr.metadata.finalizers.filter((finalizer) => finalizer !== FINALIZER);
      await cidrs.update({ ...cidr, metadata: { ...cidr.metadata, finalizers } }).catch(ignoreNotFound);
    },
  });
}

function covers({ spec }: ServiceCIDR, { metadata }: IPAddress): boolean {
  if (!ipaddr.isValid(metadata.name)) return false;
  const address = ipaddr.parse(metadata.name);
  return (spec?.cidrs ?? []).some((text) => {
    const [network, length] = ipaddr.parseCIDR(text);
    return network.kind() === address.kind() && address.match(network, length);
  });
}
