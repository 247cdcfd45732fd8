import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProtobufEncoding } from '../../../src/apiserver/http/protobuf.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { NAMESPACE } from '../every-kind.ts';
import { type Answer, ApiClient, type Body, type Watch } from './api-client.ts';
import { changes } from './changes.ts';
import { storedKinds } from './kinds.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const MERGE = 'merge-patch+json';
/** Per kind and feature: whether it holds, or that the kind has no such thing. `docs/api-compatibility.md` shows it. */
type Outcome = 'holds' | 'fails' | 'none';
const outcomes: Record<string, Record<string, Outcome>> = {};

describe('every GA kind', () => {
  let embedded: EmbeddedCluster;
  let api: ApiClient;
  let protobuf: ProtobufEncoding;
  beforeAll(async () => {
    embedded = await startEmbedded();
    api = new ApiClient(embedded);
    protobuf = await ProtobufEncoding.load();
    await api.ok('/api/v1/namespaces', { method: 'POST', body: { metadata: { name: NAMESPACE } } });
    await eventually(() => api.ok(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`));
  });
  afterAll(async () => {
    api.close();
    await embedded.stop();
  });

  it('is in the table of changes', () => {
    expect(Object.keys(changes).sort()).toEqual(
      storedKinds()
        .map(({ id }) => id)
        .sort(),
    );
  });

  it.each(storedKinds().map((kind) => [kind.id, kind] as const))('%s', async (id, kind) => {
    const found: Record<string, Outcome> = {};
    outcomes[id] = found;
    const failures: string[] = [];
    const labels = { suite: 'life-cycle' };
    const manifest = { ...kind.manifest, metadata: { ...kind.manifest.metadata, labels } };
    const { path, collection, resource, group } = kind;
    const { name } = manifest.metadata;
    const qualified = group ? `${resource}.${group}` : resource;
    const { change, refused, status, counts } = changes[id] ?? {};
    let watch: Watch | undefined;

    const feature = async (title: string, run: () => Promise<undefined | 'none'>) => {
      try {
        found[title] = (await run()) ?? 'holds';
      } catch (error) {
        found[title] = 'fails';
        const { message, actual, expected } = error as Error & { actual?: unknown; expected?: unknown };
        failures.push(
          `${title}: ${message}${actual ? `\n   found ${JSON.stringify(actual)}\n   wanted ${JSON.stringify(expected)}` : ''}`,
        );
      }
    };
    const failsWith = (answer: Answer, code: number, reason: string, message: string | RegExp) => {
      expect(`${answer.code} ${answer.body.reason}: ${answer.body.message}`).toMatch(
        typeof message === 'string'
          ? `${code} ${reason}: ${message}`
          : new RegExp(`^${code} ${reason}: .*${message.source}`, 's'),
      );
    };
    /** Controllers write too: a read that they overtake is made again. */
    const replace = async (to: (object: Body) => Body, at = path) => {
      for (let attempt = 0; ; attempt++) {
        const answer = await api.send(at, { method: 'PUT', body: to(await api.ok(at)) });
        if (answer.code !== 409 || attempt > 5) return answer;
      }
    };
    const merge = async (patch: object, at = path) => {
      const answer = await api.patch(at, MERGE, patch);
      expect(answer.code, answer.body.message).toBe(200);
      return answer.body;
    };
    const labeled = (object: Body, more: Record<string, string>): Body => ({
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...more } },
    });

    await feature('dry run', async () => {
      const answer = await api.send(`${collection}?dryRun=All`, { method: 'POST', body: manifest });
      expect(answer.code, answer.body.message).toBe(201);
      expect(answer.body.metadata.uid).toBeTruthy();
      failsWith(await api.send(path), 404, 'NotFound', `${qualified} "${name}" not found`);
      return undefined;
    });
    await feature('protobuf write', async () => {
      if (!protobuf.supports(versionOf(manifest))) return 'none';
      const body = protobuf.object(manifest)!;
      const answer = await api.send(`${collection}?dryRun=All`, {
        method: 'POST',
        body,
        contentType: PROTOBUF,
        accept: PROTOBUF,
      });
      const sent = (await api.send(`${collection}?dryRun=All`, { method: 'POST', body: manifest })).body;
      const decoded = protobuf.decode(answer.bytes) as Body;
      expect(answer.code, decoded.message).toBe(201);
      expect(timeless(decoded)).toEqual(timeless(sent));
      return undefined;
    });
    const { metadata } = await api.ok(collection);
    watch = await api.watch(
      `${collection}?watch=true&resourceVersion=${metadata.resourceVersion}&fieldSelector=metadata.name%3D${name}`,
    );
    await feature('create', async () => {
      const answer = await api.send(collection, { method: 'POST', body: manifest });
      expect(answer.code, answer.body.message).toBe(201);
      expect(answer.body).toMatchObject({ apiVersion: manifest.apiVersion, kind: manifest.kind, metadata: { labels } });
      expect(answer.body.metadata.managedFields).toMatchObject([{ manager: 'api-behaviours', operation: 'Update' }]);
      failsWith(
        await api.send(collection, { method: 'POST', body: manifest }),
        409,
        'AlreadyExists',
        `${qualified} "${name}" already exists`,
      );
      return undefined;
    });
    await feature('get and list', async () => {
      const object = await api.ok(path);
      expect(object.metadata.name).toBe(name);
      const list = await api.ok(`${collection}?labelSelector=suite%3Dlife-cycle`);
      expect(list.kind).toBe(`${manifest.kind}List`);
      expect(list.items?.map((item) => item.metadata.name)).toEqual([name]);
      const byName = await api.ok(`${collection}?fieldSelector=metadata.name%3D${name}`);
      expect(byName.items?.map((item) => item.metadata.uid)).toEqual([object.metadata.uid]);
      const everywhere = await api.ok(
        `${collection.replace(/namespaces\/[^/]+\//, kind.namespaced ? '' : '$&')}?labelSelector=suite`,
      );
      expect(everywhere.items).toHaveLength(1);
      return undefined;
    });
    await feature('table', async () => {
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const table = await api.ok(`${collection}?labelSelector=suite`, { accept });
      expect(table).toMatchObject({ apiVersion: 'meta.k8s.io/v1', kind: 'Table' });
      expect(table.columnDefinitions[0]).toMatchObject({ name: expect.stringMatching(/^(Name|Last Seen)$/) });
      expect(table.rows).toHaveLength(1);
      expect(table.rows[0].cells).toHaveLength(table.columnDefinitions.length);
      expect(table.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name } });
      expect((await api.ok(path, { accept })).rows).toHaveLength(1);
      return undefined;
    });
    await feature('metadata only', async () => {
      const as = (what: string) => `application/json;as=${what};v=v1;g=meta.k8s.io`;
      const one = await api.ok(path, { accept: as('PartialObjectMetadata') });
      expect(Object.keys(one).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
      expect(one).toMatchObject({ apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: { name } });
      const list = await api.ok(`${collection}?labelSelector=suite`, { accept: as('PartialObjectMetadataList') });
      expect(list.kind).toBe('PartialObjectMetadataList');
      expect(list.items).toMatchObject([{ metadata: { name } }]);
      return undefined;
    });
    await feature('protobuf read', async () => {
      if (!protobuf.supports(versionOf(manifest))) return 'none';
      const readBoth = async (at: string) => [
        protobuf.decode((await api.send(at, { accept: PROTOBUF })).bytes) as Body,
        await api.ok(at),
      ];
      await eventually(
        async () => {
          const [binary, json] = await readBoth(path);
          expect(binary).toEqual(json);
        },
        { timeoutMs: 3_000 },
      );
      const list = await api.send(`${collection}?labelSelector=suite`, { accept: PROTOBUF });
      expect(list.headers['content-type']).toBe(PROTOBUF);
      expect((protobuf.decode(list.bytes) as Body).items).toHaveLength(1);
      return undefined;
    });
    await feature('update', async () => {
      const before = await api.ok(path);
      const answer = await replace((object) => labeled(object, { updated: 'yes' }));
      expect(answer.code, answer.body.message).toBe(200);
      expect(answer.body.metadata).toMatchObject({ uid: before.metadata.uid, labels: { updated: 'yes' } });
      expect(answer.body.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
      failsWith(
        await api.send(path, { method: 'PUT', body: labeled(before, { updated: 'again' }) }),
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${qualified} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
      );
      const elsewhere = await api.send(`${path}0`, { method: 'PUT', body: before });
      failsWith(
        elsewhere,
        400,
        'BadRequest',
        `the name of the object (${name}) does not match the name on the URL (${name}0)`,
      );
      return undefined;
    });
    await feature('patch', async () => {
      expect((await merge({ metadata: { labels: { merged: 'yes' } } })).metadata.labels).toMatchObject({
        merged: 'yes',
      });
      const json = await api.patch(path, 'json-patch+json', [
        { op: 'test', path: '/metadata/labels/merged', value: 'yes' },
        { op: 'remove', path: '/metadata/labels/merged' },
        { op: 'add', path: '/metadata/labels/json', value: 'yes' },
      ]);
      expect(json.code, json.body.message).toBe(200);
      expect(json.body.metadata.labels).toMatchObject({ json: 'yes' });
      expect(json.body.metadata.labels).not.toHaveProperty('merged');
      const strategic = await api.patch(path, 'strategic-merge-patch+json', {
        metadata: { labels: { json: null, strategic: 'yes' } },
      });
      expect(strategic.body.metadata.labels).toMatchObject({ strategic: 'yes' });
      expect(strategic.body.metadata.labels).not.toHaveProperty('json');
      return undefined;
    });
    await feature('server-side apply', async () => {
      const apply = (manager: string, value: string, force = false) =>
        api.send(`${path}?fieldManager=${manager}${force ? '&force=true' : ''}`, {
          method: 'PATCH',
          contentType: 'application/apply-patch+yaml',
          body: {
            apiVersion: manifest.apiVersion,
            kind: manifest.kind,
            metadata: { name, annotations: { 'interop.example/applied': value } },
          },
        });
      const first = await apply('one', '1');
      expect(first.code, first.body.message).toBe(200);
      failsWith(
        await apply('two', '2'),
        409,
        'Conflict',
        'Apply failed with 1 conflict: conflict with "one": .metadata.annotations.interop.example/applied',
      );
      const forced = await apply('two', '2', true);
      expect(forced.body.metadata.annotations).toMatchObject({ 'interop.example/applied': '2' });
      // Controllers apply to the status, too.
      const managers = forced.body.metadata.managedFields?.filter(
        ({ operation, subresource }) => operation === 'Apply' && subresource === undefined,
      );
      expect(managers?.map(({ manager }) => manager)).toEqual(['two']);
      return undefined;
    });
    await feature('generation', async () => {
      const stable = async () => (await api.ok(path)).metadata.generation;
      if (!counts) {
        expect(await stable()).toBeUndefined();
        if (change) expect((await merge(change)).metadata.generation).toBeUndefined();
        return 'none';
      }
      if (counts !== 'generation') {
        expect(await stable()).toBe(counts === 'creation' ? 1 : undefined);
        expect((await merge(change!)).metadata.generation).toBe(1);
        return undefined;
      }
      const before = (await stable())!;
      expect(before).toBeGreaterThanOrEqual(1);
      const touched = await merge({ metadata: { labels: { touched: 'yes' } } });
      // Of an EndpointSlice the labels count too.
      expect(touched.metadata.generation).toBe(id.endsWith('endpointslices') ? before + 1 : before);
      const annotated = await merge({ metadata: { annotations: { touched: 'yes' } } });
      // Deployments hand their annotations on, and count them.
      expect(annotated.metadata.generation! - touched.metadata.generation!).toBe(id.endsWith(' deployments') ? 1 : 0);
      if (!change) return undefined;
      expect((await merge(change)).metadata.generation).toBe(annotated.metadata.generation! + 1);
      return undefined;
    });
    await feature('validation', async () => {
      failsWith(
        await api.patch(path, MERGE, { metadata: { labels: { 'a b': 'x' } } }),
        422,
        'Invalid',
        /is invalid: .*metadata\.labels: Invalid value: "a b": name part must consist of/,
      );
      const unknown = await api.send(`${collection}?dryRun=All&fieldValidation=Strict`, {
        method: 'POST',
        body: { ...manifest, metadata: { ...manifest.metadata, name: `${name}0` }, fieldOfNone: 1 },
      });
      failsWith(unknown, 400, 'BadRequest', /strict decoding error: unknown field "fieldOfNone"/);
      if (!refused) return undefined;
      // What a CRD is called is fixed when it is served.
      if (kind.resource === 'customresourcedefinitions')
        await eventually(async () =>
          expect((await api.ok(path)).status.conditions).toContainEqual(
            expect.objectContaining({ type: 'Established', status: 'True' }),
          ),
        );
      const answer = await api.patch(path, MERGE, refused[0]);
      expect(answer.code).toBeGreaterThanOrEqual(400);
      expect(answer.body.message).toMatch(refused[1]);
      expect(answer.code).toBe(422);
      return undefined;
    });
    await feature('status', async () => {
      if (!kind.status) return 'none';
      expect((await api.ok(`${path}/status`)).metadata.name).toBe(name);
      const before = await api.ok(path);
      const ignored = await merge({ status: status ?? {}, metadata: { labels: { statusless: 'yes' } } });
      if (status && !('devices' in status)) expect(ignored.status ?? {}).not.toMatchObject(status);
      const changed = await api.patch(`${path}/status`, MERGE, {
        status,
        ...(change && id !== 'v1 namespaces' ? undo(change, before) : {}),
      });
      expect(changed.code, changed.body.message).toBe(200);
      if (status && !('devices' in status)) expect(changed.body.status).toMatchObject(status);
      expect(changed.body.spec).toEqual(ignored.spec);
      return undefined;
    });
    await feature('scale', async () => {
      if (!kind.scale) return 'none';
      const scale = await api.ok(`${path}/scale`);
      expect(scale).toMatchObject({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name }, spec: {} });
      const put = await replace((object) => ({ ...object, spec: { replicas: 1 } }), `${path}/scale`);
      expect(put.body.spec).toEqual({ replicas: 1 });
      expect((await api.ok(path)).spec.replicas).toBe(1);
      const patched = await api.patch(`${path}/scale`, MERGE, { spec: { replicas: 0 } });
      expect(patched.code, patched.body.message).toBe(200);
      expect(patched.body.spec.replicas ?? 0).toBe(0);
      failsWith(
        await api.patch(`${path}/scale`, MERGE, { spec: { replicas: -1 } }),
        422,
        'Invalid',
        /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/,
      );
      return undefined;
    });
    await feature('delete', async () => {
      const { metadata: now } = await api.ok(path);
      failsWith(
        await api.send(path, { method: 'DELETE', body: { preconditions: { uid: 'another' } } }),
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${group ? `${manifest.kind}.${group}` : manifest.kind} "${name}": the UID in the precondition (another) does not match the UID in record (${now.uid}). The object might have been deleted and then recreated`,
      );
      const dry = await api.send(`${path}?dryRun=All`, { method: 'DELETE' });
      expect(dry.code, dry.body.message).toBeLessThan(300);
      expect((await api.ok(path)).metadata.deletionTimestamp).toBeUndefined();
      return undefined;
    });
    await feature('deletecollection', async () => {
      if (!kind.verbs.includes('deletecollection')) {
        failsWith(
          await api.send(`${collection}?labelSelector=suite`, { method: 'DELETE' }),
          405,
          'MethodNotAllowed',
          'the server does not allow this method on the requested resource',
        );
        await api.send(path, { method: 'DELETE' });
        await eventually(async () => expect((await api.send(path)).code).toBe(404), { timeoutMs: 10_000 });
        return 'none';
      }
      await api.ok(`${collection}?labelSelector=suite%3Dother`, { method: 'DELETE' });
      expect((await api.send(path)).code).toBe(200);
      await api.ok(`${collection}?labelSelector=suite%3Dlife-cycle`, { method: 'DELETE' });
      await eventually(async () => expect((await api.send(path)).code).toBe(404), { timeoutMs: 10_000 });
      return undefined;
    });
    await feature('watch', async () => {
      await eventually(() => expect(watch?.events.at(-1)?.type).toBe('DELETED'), { timeoutMs: 3_000 });
      const types = watch!.events.map(({ type }) => type);
      expect(types[0]).toBe('ADDED');
      expect(types.slice(1, -1).every((type) => type === 'MODIFIED')).toBe(true);
      const revisions = watch!.events.map(({ object }) => Number(object.metadata.resourceVersion));
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(watch!.events.at(-1)?.object).toMatchObject({ kind: manifest.kind, metadata: { name } });
      return undefined;
    });
    watch?.stop();
    expect(failures.join('\n')).toBe('');
  });

  it('finds what docs/api-compatibility.md says', async () => {
    // Of a part of the kinds nothing can be said.
    if (Object.keys(outcomes).length < storedKinds().length) return;
    await expect(`${JSON.stringify(outcomes, null, 2)}\n`).toMatchFileSnapshot('outcomes.json');
  });
});

function versionOf({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }) {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group: group!, version: version!, kind };
}

/** What two creations of the same manifest have in common. */
function timeless(object: Body): unknown {
  const { metadata, spec, ...rest } = object;
  const { uid: _uid, creationTimestamp: _time, managedFields: _fields, ...kept } = metadata as Body['metadata'] & Body;
  const { clusterIP: _ip, clusterIPs: _ips, ...fields } = spec ?? {};
  return {
    ...rest,
    metadata: kept,
    spec: JSON.parse(
      JSON.stringify(fields)
        .replaceAll(_uid, 'UID')
        .replace(/kube-api-access-\w+/g, 'kube-api-access'),
    ),
  };
}

/** The fields that `change` touches, as something else: a status update leaves them alone. */
function undo(change: object, before: Body): object {
  return 'spec' in change && 'spec' in before ? { spec: { paused: true, unschedulable: true, suspend: false } } : {};
}
