import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusError } from '../../apimachinery/status-error.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of kinds that are made here
type Loose = any;

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

let api: TestApiServer;
beforeAll(async () => {
  api = await startTestApiServer();
});
afterAll(() => api.stop());

const send = async (method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<Loose> =>
  (await api.transport.request({ method, path, ...(body === undefined ? {} : { body }) })).body;
const refusal = (request: Promise<unknown>): Promise<StatusError> =>
  request.then(
    () => {
      throw new Error('the request should have failed');
    },
    (error) => error,
  );
async function conditionOf(name: string, type: string): Promise<Loose> {
  for (let left = 200; left > 0; left--) {
    const { status } = await send('GET', `${CRDS}/${name}`);
    const found = status?.conditions?.find((condition: Loose) => condition.type === type);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`no condition ${type}`);
}

const version = (name: string, storage: boolean, schema: object = {}) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: 'object', ...schema } },
});
const definition = (plural: string, group: string, versions: object[], annotations: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}`, annotations },
  spec: { group, scope: 'Namespaced', names: { plural, kind: plural.toUpperCase() }, versions },
});

describe('definitions', () => {
  it('of protected groups say whether their API was approved', async () => {
    const approval = 'api-approved.kubernetes.io';
    const refused = await refusal(send('POST', CRDS, definition('as', 'x.k8s.io', [version('v1', true)])));
    expect(refused.message).toContain(
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    );
    const url = 'https://github.com/kubernetes/kubernetes/pull/1';
    await send('POST', CRDS, definition('bs', 'x.k8s.io', [version('v1', true)], { [approval]: url }));
    expect(await conditionOf('bs.x.k8s.io', 'KubernetesAPIApprovalPolicyConformant')).toMatchObject({
      status: 'True',
      reason: 'ApprovedAnnotation',
      message: `approved in ${url}`,
    });
    const unapproved = { [approval]: 'unapproved, experimental' };
    await send('POST', CRDS, definition('cs', 'x.k8s.io', [version('v1', true)], unapproved));
    expect(await conditionOf('cs.x.k8s.io', 'KubernetesAPIApprovalPolicyConformant')).toMatchObject({
      status: 'False',
      reason: 'UnapprovedAnnotation',
      message: 'not approved: "unapproved, experimental"',
    });
  });

  it('keep the versions that objects may be stored in', async () => {
    const made = definition('ds', 'example.com', [version('v1', true), version('v2', false)]);
    await send('POST', CRDS, made);
    await conditionOf('ds.example.com', 'Established');
    const path = `${CRDS}/ds.example.com`;
    const now = await send('GET', path);
    const moved = await send('PUT', path, {
      ...now,
      spec: { ...now.spec, versions: [version('v1', false), version('v2', true)] },
    });
    const without = (from: Loose) => ({ ...from, spec: { ...from.spec, versions: [version('v2', true)] } });
    expect((await refusal(send('PUT', path, without(moved)))).message).toContain(
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version',
    );
    const renamed = { ...moved, spec: { ...moved.spec, versions: [version('v3', true)] } };
    expect((await refusal(send('PUT', path, renamed))).code).toBe(422);
    const migrated = await send('PUT', `${path}/status`, {
      ...moved,
      status: { ...moved.status, storedVersions: ['v2'] },
    });
    expect((await send('PUT', path, without(migrated))).spec.versions).toHaveLength(1);
  });

  it('say what null is: nothing where it may not be, itself where it may', async () => {
    const text = (more: object) => ({ type: 'string', ...more });
    const fields = {
      plain: text({}),
      defaulted: text({ default: 'd' }),
      nullable: text({ nullable: true }),
      both: text({ nullable: true, default: 'd' }),
    };
    const properties = { spec: { type: 'object', properties: fields } };
    await send('POST', CRDS, definition('es', 'example.com', [version('v1', true, { properties })]));
    await conditionOf('es.example.com', 'Established');
    const create = (name: string, spec: object) =>
      send('POST', '/apis/example.com/v1/namespaces/default/es', {
        apiVersion: 'example.com/v1',
        kind: 'ES',
        metadata: { name },
        spec,
      });
    const nulls = { defaulted: null, nullable: null, both: null };
    for (let left = 200; left > 0; left--) {
      const made = await create('nulls', nulls).catch((error) => error);
      if (made.code === 404) await new Promise((resolve) => setTimeout(resolve, 5));
      else {
        expect(made.spec).toEqual({ defaulted: 'd', nullable: null, both: null });
        break;
      }
    }
    expect((await create('none', {})).spec).toEqual({ defaulted: 'd', both: 'd' });
    const wrong = text({ default: null });
    const schema = { properties: { spec: { type: 'object', properties: { wrong } } } };
    const refused = await refusal(send('POST', CRDS, definition('fs', 'example.com', [version('v1', true, schema)])));
    expect(refused.code).toBe(422);
  });
});
