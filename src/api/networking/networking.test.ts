import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../apimachinery/field.ts';
import { endpointSlice } from '../discovery/endpoint-slice.ts';
import { ingress } from './ingress.ts';
import { ingressClass } from './ingress-class.ts';
import { ipAddress } from './ip-address.ts';
import { networkPolicy } from './network-policy.ts';
import { serviceCidr } from './service-cidr.ts';

const texts = (errors: readonly FieldError[] | undefined) => (errors ?? []).map(String);

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const metadata = { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' };
const backend = { service: { name: 'web', port: { number: 80 } } };
const rule = (path: object, host?: string) => ({
  host,
  http: { paths: [{ backend, pathType: 'Prefix', path: '/', ...path }] },
});
const withRules = (...rules: object[]): Loose => ({ metadata, spec: { rules } });

describe('Ingress', () => {
  it('refuses what upstream refuses, in its words', () => {
    const invalid = (spec: object) => texts(ingress.validate?.({ metadata, spec } as Loose));
    expect(invalid({})).toEqual(['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified']);
    expect(invalid({ rules: [rule({})] })).toEqual([]);
    expect(invalid({ rules: [rule({ pathType: undefined })] })).toEqual([
      'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified',
    ]);
    expect(invalid({ rules: [rule({ path: 'a//b' }, '1.2.3.4')] })).toEqual([
      'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
      'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
      'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain \'//\'',
    ]);
    expect(invalid({ defaultBackend: { service: { name: 'web', port: {} } } })).toEqual([
      'spec.defaultBackend: Required value: port name or number is required',
    ]);
  });

  it('agrees with the old class annotation at creation', () => {
    const object: Loose = {
      metadata: { ...metadata, annotations: { 'kubernetes.io/ingress.class': 'a' } },
      spec: { ingressClassName: 'b', rules: [rule({})] },
    };
    expect(texts(ingress.validateCreate?.(object))).toEqual([
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified',
    ]);
  });

  it('prints', () => {
    const object = withRules(
      rule({}, 'a.example'),
      rule({}, 'b.example'),
      rule({}, 'c.example'),
      rule({}, 'd.example'),
    );
    object.status = { loadBalancer: { ingress: [{ ip: '10.0.0.2' }, { hostname: 'lb.example' }] } };
    expect(ingress.columns.map((column) => column.value(object, Date.parse('2026-01-01T00:00:10Z')))).toEqual([
      'web',
      '<none>',
      'a.example,b.example,c.example + 1 more...',
      '10.0.0.2,lb.example',
      '80',
      '10s',
    ]);
  });
});

describe('IngressClass', () => {
  it('keeps its controller', () => {
    const object = (controller: string): Loose => ({ metadata, spec: { controller } });
    expect(texts(ingressClass.validate?.(object('nginx')))).toEqual([
      'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
    ]);
    expect(texts(ingressClass.validateUpdate?.(object('a.io/b'), object('a.io/a')))).toEqual([
      'spec.controller: Invalid value: "a.io/b": field is immutable',
    ]);
  });
});

describe('NetworkPolicy', () => {
  it('is about what its rules are about', () => {
    const object: Loose = { metadata, spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } };
    networkPolicy.default?.(object);
    expect(object.spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [{ ports: [{ protocol: 'TCP' }] }],
    });
  });

  it('refuses impossible peers', () => {
    const peer = (...from: object[]) =>
      texts(networkPolicy.validate?.({ metadata, spec: { podSelector: {}, ingress: [{ from }] } } as Loose));
    expect(peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } })).toEqual([]);
    expect(
      peer({}, { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '10.0.0.0/8'] }, podSelector: {} }),
    ).toEqual([
      'spec.ingress[0].from[0]: Required value: must specify a peer',
      'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
      'spec.ingress[0].from[1].ipBlock.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
      'spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer',
    ]);
  });
});

describe('IPAddress and ServiceCIDR', () => {
  it('want canonical addresses', () => {
    const { nameFormat } = ipAddress;
    const messages = (name: string) => (typeof nameFormat === 'object' ? nameFormat.validate(name, false) : []);
    expect(messages('10.96.0.1')).toEqual([]);
    expect(messages('2001:db8:0::1')).toEqual(['must be in canonical form ("2001:db8::1")']);
    expect(messages('010.0.0.1')).toEqual(['must not have leading 0s']);
    const cidrs = (...list: string[]) => texts(serviceCidr.validate?.({ metadata, spec: { cidrs: list } } as Loose));
    expect(cidrs('10.96.0.0/12', 'fd00::/108')).toEqual([]);
    expect(cidrs('10.96.0.1/12')).toEqual([
      'spec.cidrs[0]: Invalid value: "10.96.0.1/12": must not have bits set beyond the prefix length',
    ]);
    expect(cidrs('10.0.0.0/16', '10.1.0.0/16')).toHaveLength(1);
  });
});

describe('EndpointSlice', () => {
  it('names its ports and refuses special addresses', () => {
    const object: Loose = {
      metadata,
      addressType: 'IPv4',
      ports: [{ port: 80 }],
      endpoints: [{ addresses: ['127.0.0.1'] }],
    };
    endpointSlice.default?.(object);
    expect(object.ports).toEqual([{ port: 80, name: '', protocol: 'TCP' }]);
    expect(texts(endpointSlice.validate?.(object))).toEqual([
      'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ]);
    expect(endpointSlice.columns.slice(1, 4).map((column) => column.value(object, 0))).toEqual([
      'IPv4',
      '80',
      '127.0.0.1',
    ]);
  });
});
