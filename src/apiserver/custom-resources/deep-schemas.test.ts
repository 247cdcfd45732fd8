import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpsApi, startHttpsApi } from '../testing/https-api.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

let api: HttpsApi;
beforeAll(async () => {
  api = await startHttpsApi();
});
afterAll(() => api.stop());

/** `deep` stands where the body has the text "deep": what is nested too deeply cannot be written as one. */
async function codeOf(method: 'POST' | 'PATCH', path: string, body: object, deep = ''): Promise<number> {
  const headers: Record<string, string> = method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {};
  const answer = await api.send(method, path, JSON.stringify(body).replace('"deep"', deep), headers);
  if (answer.status >= 500) throw new Error(answer.text.slice(0, 1000));
  return answer.status;
}

function definition(plural: string, schema: object): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.deep.example.com` },
    spec: {
      group: 'deep.example.com',
      scope: 'Namespaced',
      names: { plural, kind: `Kind${plural}` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

type Wrapping = readonly [before: string, after: string];
const nested = (levels: number, [before, after]: Wrapping, innermost: string) =>
  before.repeat(levels) + innermost + after.repeat(levels);

const kinds: readonly (readonly [string, Wrapping])[] = [
  ['props', ['{"type":"object","properties":{"a":', '}}']],
  ['lists', ['{"type":"array","items":', '}']],
  ['maps', ['{"type":"object","additionalProperties":', '}']],
  ['junctors', ['{"allOf":[', ']}']],
  ['nots', ['{"not":', '}']],
];
const ruled = JSON.stringify({
  type: 'string',
  default: 'x',
  'x-kubernetes-validations': [{ rule: 'self != ""' }],
});
const withDeepSpec = { type: 'object', properties: { spec: 'deep' } };

describe('schemas and objects of thousands of levels', () => {
  it.each(kinds)("a schema of %s is refused as the client's fault", async (plural, wrap) => {
    expect(await codeOf('POST', CRDS, definition(plural, withDeepSpec), nested(3000, wrap, ruled))).toBe(400);
  });

  it.each(kinds)('a schema of %s that is as deep as a body may be is served or refused', async (plural, wrap) => {
    // A level of the schema is one or two of JSON.
    for (const levels of [480, 970]) {
      const crd = definition(`${plural}${levels}`, withDeepSpec);
      expect([201, 400, 422]).toContain(await codeOf('POST', CRDS, crd, nested(levels, wrap, ruled)));
    }
  });

  it('are in OpenAPI', async () => {
    expect((await api.send('GET', '/openapi/v3/apis/deep.example.com/v1')).status).toBe(200);
    expect((await api.send('GET', '/openapi/v2')).status).toBe(200);
  });

  it('a body is refused that comes as an object, not as text', async () => {
    const body = JSON.parse(JSON.stringify(definition('inside', withDeepSpec)));
    let deep: object = {};
    for (let level = 0; level < 20_000; level++) deep = { a: deep };
    for (const spec of [deep, { ...body.spec, extra: deep }]) {
      const refused = await api.server.transport
        .request({ method: 'POST', path: CRDS, body: { ...body, spec } })
        .catch((error) => error);
      expect(refused.code, refused.message).toBe(400);
    }
  });

  it('an object is refused, whatever the verb', async () => {
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    expect(await codeOf('POST', CRDS, definition('opens', open))).toBe(201);
    const path = '/apis/deep.example.com/v1/namespaces/default/opens';
    const object = (name: string, spec: unknown) => ({
      apiVersion: 'deep.example.com/v1',
      kind: 'Kindopens',
      metadata: { name },
      spec,
    });
    for (let left = 200; left > 0 && (await codeOf('POST', path, object('flat', {}))) === 404; left--)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const wrappings: readonly (readonly [string, Wrapping])[] = [
      ['objects', ['{"a":', '}']],
      ['lists', ['[', ']']],
    ];
    for (const [name, wrap] of wrappings) {
      expect(await codeOf('POST', path, object('refused', 'deep'), nested(3000, wrap, '{}'))).toBe(400);
      expect(await codeOf('PATCH', `${path}/flat`, { spec: 'deep' }, nested(3000, wrap, '{}'))).toBe(400);
      expect(await codeOf('PATCH', `${path}/flat`, { spec: { b: 'deep' } }, nested(990, wrap, '{}'))).toBe(200);
      expect(await codeOf('POST', path, object(name, { b: 'deep' }), nested(990, wrap, '{}'))).toBe(201);
      expect((await api.send('GET', `${path}/${name}`)).status).toBe(200);
    }
  });
});
