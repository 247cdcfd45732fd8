import { describe, expect, it } from 'vitest';
import { negotiate, type Offer } from './negotiation.ts';

const KUBE = 'application/vnd.kubernetes.protobuf';
const as = (kind: string, type: string, v = 'v1') => `${type};as=${kind};g=meta.k8s.io;v=${v}`;
const JSON_ONLY: Offer = { shapes: true, protobuf: false };
const ALL: Offer = { shapes: true, protobuf: true };
const WATCH: Offer = { shapes: true, protobuf: true, stream: true };

describe('Accept', () => {
  it.each<[string, string, Offer, string]>([
    ['nothing', '', ALL, 'json object'],
    ['everything', '*/*', ALL, 'json object'],
    ['a lone star', '*', ALL, 'json object'],
    ['any application', 'application/*', ALL, 'json object'],
    ['parameters that mean nothing', 'application/json;charset=latin1;profile=x', ALL, 'json object'],
    ['protobuf with a fallback', `${KUBE},application/json`, ALL, 'protobuf object'],
    ['protobuf of what has none', `${KUBE},application/json`, JSON_ONLY, 'json object'],
    ['by q', `application/json;q=0.5,${KUBE};q=0.9`, ALL, 'protobuf object'],
    ['q of 0, which is only last', `application/yaml;q=0,${KUBE}`, JSON_ONLY, 'yaml object'],
    ['a name before a wildcard', '*/*,application/yaml;q=0.1', ALL, 'yaml object'],
    ['metadata alone', as('PartialObjectMetadata', KUBE), JSON_ONLY, 'protobuf partial'],
    ['metadata lists', as('PartialObjectMetadataList', KUBE, 'v1beta1'), JSON_ONLY, 'protobuf partialList'],
    [
      'a Table, which has no protobuf form',
      `${as('Table', KUBE)},${as('Table', 'application/json')}`,
      ALL,
      'json table',
    ],
    ['a Table by wildcard', as('Table', '*/*'), ALL, 'json table'],
    ['a Table in another version', `${as('Table', 'application/json', 'v2')},application/json`, ALL, 'json object'],
    [
      'a Table of what has none',
      `${as('Table', 'application/json')},*/*`,
      { shapes: false, protobuf: false },
      'json object',
    ],
    ['a stream', `${KUBE};stream=watch,application/json;stream=watch`, WATCH, 'protobuf object'],
    ['another stream', `application/json;stream=other,${KUBE}`, WATCH, 'protobuf object'],
    ['another server version', `application/json;sv=v2,application/yaml`, ALL, 'yaml object'],
    ['pretty', 'application/json;pretty=1', ALL, 'json object pretty'],
  ])('%s', (_, accept, offer, wanted) => {
    const { format, shape, pretty } = negotiate(accept, offer);
    expect(`${format} ${shape}${pretty ? ' pretty' : ''}`).toBe(wanted);
  });

  it.each<[string, Offer, string]>([
    ['text/html', ALL, `application/json, application/yaml, ${KUBE}`],
    ['nonsense', ALL, `application/json, application/yaml, ${KUBE}`],
    [KUBE, JSON_ONLY, `application/json, application/yaml, ${KUBE}`],
    [as('Status', 'application/json'), ALL, `application/json, application/yaml, ${KUBE}`],
    ['application/json;as=Table', ALL, `application/json, application/yaml, ${KUBE}`],
    ['application/yaml', WATCH, `application/json;stream=watch, ${KUBE};stream=watch`],
  ])('%s cannot be given', (accept, offer, accepted) => {
    expect(() => negotiate(accept, offer)).toThrow(`only the following media types are accepted: ${accepted}`);
  });
});
