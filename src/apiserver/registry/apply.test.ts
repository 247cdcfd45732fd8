import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ManagedFieldsEntry, UnstructuredObject } from '../../apimachinery/meta.ts';
import type { StatusError } from '../../apimachinery/status-error.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

const path = '/apis/apps/v1/namespaces/default/deployments/web';
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const deployment = (spec: object = {}, extra: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template, ...spec },
  ...extra,
});
const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas: 4 } };

describe('server-side apply', () => {
  let api: TestApiServer;
  beforeAll(async () => {
    api = await startTestApiServer();
    await apply(path, deployment(), 'a');
  });
  afterAll(() => api.stop());

  const patch = async (to: string, contentType: string, body: unknown, query: Record<string, string | boolean> = {}) =>
    (await api.transport.request<UnstructuredObject>({ method: 'PATCH', path: to, contentType, body, query })).body;
  const apply = (to: string, body: unknown, manager: string, query: Record<string, string | boolean> = {}) =>
    patch(to, 'application/apply-patch+yaml', body, { fieldManager: manager, ...query });
  const entries = async () => {
    const { body } = await api.transport.request<UnstructuredObject>({ method: 'GET', path });
    const shown = (entry: ManagedFieldsEntry) =>
      `${entry.manager} ${entry.operation} ${entry.subresource ?? ''} ${JSON.stringify(entry.fieldsV1)}`;
    return body.metadata.managedFields?.map(shown);
  };

  it('of a scale takes the replicas from whoever has them, and those alone', async () => {
    await expect(apply(`${path}/scale`, scale, 'autoscaler')).rejects.toThrow(
      'Apply failed with 1 conflict: conflict with "a": .spec.replicas',
    );
    await apply(`${path}/scale`, scale, 'autoscaler', { force: true });
    expect(await entries()).toContain('autoscaler Apply scale {"f:spec":{"f:replicas":{}}}');
    await expect(apply(path, deployment(), 'a')).rejects.toThrow(
      'Apply failed with 1 conflict: conflict with "autoscaler" with subresource "scale": .spec.replicas',
    );
  });

  it('of a status owns nothing that the endpoint leaves alone', async () => {
    const status = { conditions: [{ type: 'Seen', status: 'True' }] };
    const given = deployment({}, { metadata: { name: 'web', labels: { not: 'owned' } }, status });
    await apply(`${path}/status`, given, 'observer');
    expect(await entries()).toContain(
      'observer Apply status {"f:status":{"f:conditions":{"k:{\\"type\\":\\"Seen\\"}":{".":{},"f:status":{},"f:type":{}}}}}',
    );
  });

  it('of a resize owns resources alone', async () => {
    const resources = { requests: { cpu: '1' }, limits: { cpu: '2' } };
    const pod = (cpu: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { not: 'owned' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: { ...resources, requests: { cpu } } }] },
    });
    await api.client.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body: pod('1') });
    const at = '/api/v1/namespaces/default/pods/p/resize';
    const resized = await apply(at, pod('1500m'), 'resizer', { force: true });
    const own = resized.metadata.managedFields?.find(({ manager }) => manager === 'resizer');
    expect(JSON.stringify(own?.fieldsV1)).toBe(
      '{"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:resources":{"f:limits":{"f:cpu":{}},"f:requests":{"f:cpu":{}}}}}}}',
    );
  });

  it.each<[string, unknown, number, string]>([
    ['another kind', { ...deployment(), kind: 'Foo' }, 400, 'invalid object type: apps/v1, Kind=Foo'],
    ['nothing', {}, 400, 'invalid object type: /, Kind='],
    [
      'managedFields',
      deployment({}, { metadata: { name: 'web', managedFields: [] } }),
      400,
      'metadata.managedFields must be nil',
    ],
    [
      'an unknown field',
      deployment({ foo: 1 }),
      500,
      'failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema',
    ],
    [
      'an object that is gone',
      deployment({}, { metadata: { name: 'gone', uid: 'u' } }),
      409,
      'Operation cannot be fulfilled on deployments.apps "gone": uid mismatch: the provided object specified uid u, and no existing object was found',
    ],
  ])('refuses %s', async (_, body, code, message) => {
    const to = (body as { metadata?: { name: string } }).metadata?.name === 'gone' ? path.replace('web', 'gone') : path;
    const error = await apply(to, body, 'b').catch((reason: StatusError) => reason);
    expect([(error as StatusError).code, (error as StatusError).message]).toEqual([code, message]);
  });

  it('lets clients hand over managedFields, if they say what happened', async () => {
    const merge = 'application/merge-patch+json';
    const entry = { manager: 'x', operation: 'Foo', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: {} };
    await expect(patch(path, merge, { metadata: { managedFields: [entry] } })).rejects.toThrow(
      'metadata.managedFields[0].operation: Invalid value: "Foo": must be `Apply` or `Update`',
    );
    expect((await patch(path, merge, { metadata: { managedFields: [{}] } })).metadata.managedFields).toBeUndefined();
    await expect(apply(path, deployment({ replicas: 7 }), 'a')).rejects.toThrow(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
    );
  });
});
