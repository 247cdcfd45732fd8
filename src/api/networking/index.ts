import type { KindDefinition } from '../kind.ts';
import { ingress } from './ingress.ts';
import { ingressClass } from './ingress-class.ts';
import { ipAddress } from './ip-address.ts';
import { networkPolicy } from './network-policy.ts';
import { serviceCidr } from './service-cidr.ts';

export const kinds: readonly KindDefinition[] = [ingress, ingressClass, ipAddress, networkPolicy, serviceCidr];
