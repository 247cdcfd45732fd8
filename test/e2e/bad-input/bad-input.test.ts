import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from '../../../src/cluster/pki/pki.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { type Answer, RawClient, type RawRequest } from './raw-client.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MIB = 1024 * 1024;
const json = JSON.stringify;
const named = (name: string, fields: object = {}) =>
  json({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...fields });
const yaml = 'application/yaml';

/** What comes back for it: code, reason, and the message or a part of it. */
type Case = readonly [
  what: string,
  path: string,
  request: RawRequest,
  code: number,
  reason: string,
  message: string | RegExp,
];

const post = (body: string, contentType?: string): RawRequest => ({
  method: 'POST',
  body,
  ...(contentType ? { contentType } : {}),
});
const patch = (type: string, body: string): RawRequest => ({
  method: 'PATCH',
  body,
  contentType: `application/${type}`,
});
const unrecognized = 'the object provided is unrecognized (must be of type ConfigMap): ';
const cannot = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: ';

const bodies: Case[] = [
  [
    'JSON that ends too soon',
    CONFIG_MAPS,
    post('{"apiVersion":'),
    400,
    'BadRequest',
    `${unrecognized}couldn't get version/kind; json parse error: unexpected end of JSON input ({"apiVersion":)`,
  ],
  [
    'no body',
    CONFIG_MAPS,
    post(''),
    400,
    'BadRequest',
    `${unrecognized}couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)`,
  ],
  [
    'JSON with a stray character',
    CONFIG_MAPS,
    post('{"a" 1}'),
    400,
    'BadRequest',
    `${unrecognized}couldn't get version/kind; json parse error: invalid character '1' after object key ({"a" 1})`,
  ],
  [
    'bytes that are no JSON',
    CONFIG_MAPS,
    post('apiVersion: v1'),
    400,
    'BadRequest',
    `${unrecognized}couldn't get version/kind; json parse error: invalid character 'a' looking for beginning of value (61706956657273696f6e3a207631)`,
  ],
  [
    'a list in place of an object',
    CONFIG_MAPS,
    post('[]'),
    400,
    'BadRequest',
    /cannot unmarshal array into Go value of type struct/,
  ],
  [
    'YAML that is none',
    CONFIG_MAPS,
    post('a: [b', yaml),
    400,
    'BadRequest',
    /^the object provided is unrecognized \(must be of type ConfigMap\): .*yaml: /,
  ],
  [
    'YAML that grows a billionfold',
    CONFIG_MAPS,
    post(
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
        .split('')
        .map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(',')}]`)
        .join('\n')}`,
      yaml,
    ),
    400,
    'BadRequest',
    /yaml: .*excessive/i,
  ],
  [
    'another kind',
    CONFIG_MAPS,
    post(json({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } })),
    400,
    'BadRequest',
    'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
  ],
  [
    'another version',
    '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers',
    post(json({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'x' } })),
    400,
    'BadRequest',
    'the API version in the data (autoscaling/v2) does not match the expected API version (autoscaling/v1)',
  ],
  [
    'a number for a string',
    CONFIG_MAPS,
    post(named('x', { data: { a: 1 } })),
    400,
    'BadRequest',
    `${cannot}json: cannot unmarshal number into Go struct field ConfigMap.data of type string`,
  ],
  [
    'a string for an object',
    CONFIG_MAPS,
    post(named('x', { data: 'text' })),
    400,
    'BadRequest',
    `${cannot}json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string`,
  ],
  [
    'an unknown field, strictly',
    `${CONFIG_MAPS}?fieldValidation=Strict`,
    post(named('x', { dat: {}, metadata: { name: 'x', lables: {} } })),
    400,
    'BadRequest',
    /^ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "(dat|metadata\.lables)", unknown field "/,
  ],
  [
    'a duplicate field, strictly',
    `${CONFIG_MAPS}?fieldValidation=Strict`,
    post('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'),
    400,
    'BadRequest',
    `${cannot}strict decoding error: duplicate field "data.a"`,
  ],
  [
    'a duplicate key in YAML, strictly',
    `${CONFIG_MAPS}?fieldValidation=Strict`,
    post('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: "1"\n  a: "2"\n', yaml),
    400,
    'BadRequest',
    `${cannot}strict decoding error: yaml: unmarshal errors:\n  line 6: key "a" already set in map`,
  ],
  [
    'an unknown way to validate',
    `${CONFIG_MAPS}?fieldValidation=Sometimes`,
    post(named('x')),
    422,
    'Invalid',
    /fieldValidation: Unsupported value: "Sometimes"|fieldValidation: Invalid value: "Sometimes"/,
  ],
  [
    'nesting of 100,000',
    CONFIG_MAPS,
    post(`{"apiVersion":"v1","kind":"ConfigMap","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    400,
    'BadRequest',
    /exceeded max depth/,
  ],
  [
    '__proto__ as a field, strictly',
    `${CONFIG_MAPS}?fieldValidation=Strict`,
    post('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"__proto__":{"polluted":"yes"}}'),
    400,
    'BadRequest',
    `${cannot}strict decoding error: unknown field "__proto__"`,
  ],
  [
    '__proto__ as a label',
    CONFIG_MAPS,
    post('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","labels":{"__proto__":"x"}}}'),
    422,
    'Invalid',
    /^ConfigMap "x" is invalid: metadata\.labels: Invalid value: "__proto__": name part must consist of alphanumeric characters/,
  ],
  [
    'a body over 3 MiB',
    CONFIG_MAPS,
    post(named('x', { data: { a: 'x'.repeat(3 * MIB) } })),
    413,
    'RequestEntityTooLarge',
    'Request entity too large: limit is 3145728',
  ],
  [
    'data over 1 MiB',
    CONFIG_MAPS,
    post(named('x', { data: { a: 'x'.repeat(MIB + 1) } })),
    422,
    'Invalid',
    /Too long: may not be more than 1048576 bytes/,
  ],
  [
    'annotations over 256 KiB',
    CONFIG_MAPS,
    post(named('x', { metadata: { name: 'x', annotations: { a: 'x'.repeat(MIB / 4 + 1) } } })),
    422,
    'Invalid',
    /metadata\.annotations: Too long: may not be more than 262144 bytes/,
  ],
  [
    'an unknown media type',
    CONFIG_MAPS,
    post(named('x'), 'text/plain'),
    415,
    'UnsupportedMediaType',
    /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml/,
  ],
  [
    'garbage for protobuf',
    CONFIG_MAPS,
    post('not protobuf', 'application/vnd.kubernetes.protobuf'),
    400,
    'BadRequest',
    /provided data does not appear to be a protobuf message|protobuf/,
  ],
];

const names: Case[] = [
  [
    'a name with capitals',
    CONFIG_MAPS,
    post(named('Bad_Name')),
    422,
    'Invalid',
    `ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
  [
    'no name',
    CONFIG_MAPS,
    post(json({ apiVersion: 'v1', kind: 'ConfigMap' })),
    422,
    'Invalid',
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ],
  [
    'a name of 300 characters',
    CONFIG_MAPS,
    post(named('x'.repeat(300))),
    422,
    'Invalid',
    /must be no more than 253 (characters|bytes)/,
  ],
  [
    'a namespace that is not there',
    '/api/v1/namespaces/none/configmaps',
    post(named('x')),
    404,
    'NotFound',
    'namespaces "none" not found',
  ],
  [
    'another namespace in the object',
    CONFIG_MAPS,
    post(named('x', { metadata: { name: 'x', namespace: 'other' } })),
    400,
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  [
    'another name in the object',
    `${CONFIG_MAPS}/kept`,
    { method: 'PUT', body: named('other') },
    400,
    'BadRequest',
    'the name of the object (other) does not match the name on the URL (kept)',
  ],
  ['a name that is not there', `${CONFIG_MAPS}/none`, {}, 404, 'NotFound', 'configmaps "none" not found'],
  ['the same again', CONFIG_MAPS, post(named('kept')), 409, 'AlreadyExists', 'configmaps "kept" already exists'],
  [
    'a stale resourceVersion',
    `${CONFIG_MAPS}/kept`,
    { method: 'PUT', body: named('kept', { metadata: { name: 'kept', resourceVersion: '1' } }) },
    409,
    'Conflict',
    'Operation cannot be fulfilled on configmaps "kept": the object has been modified; please apply your changes to the latest version and try again',
  ],
  [
    'another uid',
    `${CONFIG_MAPS}/kept`,
    { method: 'PUT', body: named('kept', { metadata: { name: 'kept', uid: 'wrong' } }) },
    409,
    'Conflict',
    /^Operation cannot be fulfilled on configmaps "kept": Precondition failed: UID in precondition: wrong, UID in object meta: /,
  ],
  [
    'a precondition that fails',
    `${CONFIG_MAPS}/kept`,
    { method: 'DELETE', body: json({ preconditions: { resourceVersion: '1' } }) },
    409,
    'Conflict',
    /^Operation cannot be fulfilled on configmaps "kept": .*(Precondition failed|the ResourceVersion in the precondition)/,
  ],
  [
    'a resourceVersion at creation',
    CONFIG_MAPS,
    post(named('x', { metadata: { name: 'x', resourceVersion: '5' } })),
    500,
    '',
    'resourceVersion should not be set on objects to be created',
  ],
];

const reads: Case[] = [
  [
    'a label selector that does not end',
    `${CONFIG_MAPS}?labelSelector=a%3Db%3Dc`,
    {},
    400,
    'BadRequest',
    /found '=', expected: ',' or 'end of string'/,
  ],
  [
    'a label selector with a bad value',
    `${CONFIG_MAPS}?labelSelector=a%3D-b`,
    {},
    400,
    'BadRequest',
    /values\[0\]\[a\]: Invalid value: "-b": a valid label must be an empty string or consist of alphanumeric/,
  ],
  [
    'a field selector without operator',
    `${CONFIG_MAPS}?fieldSelector=x`,
    {},
    400,
    'BadRequest',
    /invalid selector: 'x'; can't understand 'x'/,
  ],
  [
    'a field selector on any field',
    `${CONFIG_MAPS}?fieldSelector=data.a%3Db`,
    {},
    400,
    'BadRequest',
    /"data\.a" is not a known field selector: only "metadata\.name", "metadata\.namespace"/,
  ],
  [
    'a field selector on a field of pods',
    '/api/v1/pods?fieldSelector=spec.foo%3Db',
    {},
    400,
    'BadRequest',
    /field label not supported: spec\.foo/,
  ],
  [
    'a continue token that is none',
    `${CONFIG_MAPS}?limit=1&continue=%2F%2F%2F`,
    {},
    400,
    'BadRequest',
    /^continue key is not valid: /,
  ],
  [
    'a continue token of another kind',
    `${CONFIG_MAPS}?limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1}').toString('base64url')}`,
    {},
    400,
    'BadRequest',
    /^continue key is not valid: /,
  ],
  ['a limit that is no number', `${CONFIG_MAPS}?limit=many`, {}, 400, 'BadRequest', /parsing "many": invalid syntax/],
  [
    'a resourceVersion that is no number',
    `${CONFIG_MAPS}?resourceVersion=x`,
    {},
    400,
    'BadRequest',
    /(Invalid value|invalid resource version).*x/,
  ],
  [
    'a watch from a resourceVersion that is no number',
    `${CONFIG_MAPS}?watch=true&resourceVersion=x`,
    {},
    400,
    'BadRequest',
    /(Invalid value|invalid resource version).*x/,
  ],
  [
    'a resourceVersionMatch without resourceVersion',
    `${CONFIG_MAPS}?resourceVersionMatch=Exact`,
    {},
    422,
    'Invalid',
    /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
  ],
  [
    'a form that nobody can send',
    `${CONFIG_MAPS}/kept`,
    { headers: { accept: 'text/html' } },
    406,
    'NotAcceptable',
    /^only the following media types are accepted: application\/json, application\/yaml/,
  ],
];

const patches: Case[] = [
  [
    'a JSON patch that is an object',
    `${CONFIG_MAPS}/kept`,
    patch('json-patch+json', '{}'),
    400,
    'BadRequest',
    /error decoding patch: json: cannot unmarshal object into Go value of type \[\]/,
  ],
  [
    'a JSON patch of a path that is not there',
    `${CONFIG_MAPS}/kept`,
    patch('json-patch+json', '[{"op":"replace","path":"/data/none","value":"x"}]'),
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'a JSON patch whose test fails',
    `${CONFIG_MAPS}/kept`,
    patch('json-patch+json', '[{"op":"test","path":"/data/a","value":"x"}]'),
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'a JSON patch with an unknown operation',
    `${CONFIG_MAPS}/kept`,
    patch('json-patch+json', '[{"op":"explode","path":"/data/a"}]'),
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'a merge patch that is no JSON',
    `${CONFIG_MAPS}/kept`,
    patch('merge-patch+json', 'x'),
    400,
    'BadRequest',
    /^error decoding patch: invalid character 'x' looking for beginning of value/,
  ],
  [
    'a merge patch that makes a field the wrong type',
    `${CONFIG_MAPS}/kept`,
    patch('merge-patch+json', '{"data":{"a":1}}'),
    400,
    'BadRequest',
    /cannot unmarshal number into Go struct field ConfigMap\.data of type string/,
  ],
  [
    'a strategic merge patch with an unknown directive',
    '/api/v1/namespaces/default',
    patch('strategic-merge-patch+json', '{"metadata":{"$patch":"explode"}}'),
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'a patch that renames',
    `${CONFIG_MAPS}/kept`,
    patch('merge-patch+json', '{"metadata":{"name":"other"}}'),
    400,
    'BadRequest',
    'the name of the object (other) does not match the name on the URL (kept)',
  ],
  [
    'a patch of an unknown type',
    `${CONFIG_MAPS}/kept`,
    patch('json', '{}'),
    415,
    'UnsupportedMediaType',
    /application\/json-patch\+json, application\/merge-patch\+json/,
  ],
  [
    'an apply without field manager',
    `${CONFIG_MAPS}/kept`,
    patch('apply-patch+yaml', named('kept')),
    422,
    'Invalid',
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  ],
  [
    'an apply with managed fields',
    `${CONFIG_MAPS}/kept?fieldManager=me`,
    patch('apply-patch+yaml', named('kept', { metadata: { name: 'kept', managedFields: [{ manager: 'x' }] } })),
    400,
    'BadRequest',
    'metadata.managedFields must be nil',
  ],
];

const paths: Case[] = [
  [
    'an unknown resource',
    '/api/v1/namespaces/default/nothings',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'an unknown group',
    '/apis/none.example/v1/things',
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a method that the resource has not',
    CONFIG_MAPS,
    { method: 'PUT', body: named('x') },
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'a creation by name',
    `${CONFIG_MAPS}/kept`,
    post(named('kept')),
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'a patch of nothing by name',
    CONFIG_MAPS,
    patch('merge-patch+json', '{}'),
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'a method that HTTP hardly has',
    CONFIG_MAPS,
    { method: 'PROPFIND' },
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'a subresource that the kind has not',
    `${CONFIG_MAPS}/kept/status`,
    {},
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  ['a path with a broken escape', '/api/v1/namespaces/%zz/configmaps', {}, 400, 'BadRequest', /./],
];

const identities: Case[] = [
  ['no identity', CONFIG_MAPS, { identity: 'none' }, 401, 'Unauthorized', 'Unauthorized'],
  [
    'a wrong token',
    CONFIG_MAPS,
    { identity: 'none', headers: { authorization: 'Bearer wrong' } },
    401,
    'Unauthorized',
    'Unauthorized',
  ],
  [
    'a token of another cluster',
    CONFIG_MAPS,
    {
      identity: 'none',
      headers: {
        authorization: `Bearer ${[{ alg: 'RS256', kid: 'x' }, { sub: 'system:serviceaccount:kube-system:default', iss: 'https://kubernetes.default.svc.cluster.local' }, 'signature'].map((part) => Buffer.from(json(part)).toString('base64url')).join('.')}`,
      },
    },
    401,
    'Unauthorized',
    'Unauthorized',
  ],
  [
    'a header that is no token',
    CONFIG_MAPS,
    { identity: 'none', headers: { authorization: 'Basic YTpi' } },
    401,
    'Unauthorized',
    'Unauthorized',
  ],
];

describe('bad input', () => {
  let embedded: EmbeddedCluster;
  let client: RawClient;
  let watch: Awaited<ReturnType<RawClient['watch']>>;

  beforeAll(async () => {
    embedded = await startEmbedded();
    client = new RawClient(embedded);
    await client.send(CONFIG_MAPS, post(named('kept', { data: { a: '1' } })));
    // What everything below has to leave alone.
    watch = await client.watch(`${CONFIG_MAPS}?watch=true&labelSelector=witness%3Dyes`);
  });
  afterAll(async () => {
    watch.stop();
    client.close();
    await embedded.stop();
  });

  const check = (answer: Answer, code: number, reason: string, message: string | RegExp) => {
    expect(answer.body, answer.text.slice(0, 500)).toMatchObject({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code,
    });
    expect(answer.body.reason ?? '').toBe(reason);
    if (typeof message === 'string') expect(answer.body.message).toBe(message);
    else expect(answer.body.message).toMatch(message);
    expect(answer.code).toBe(code);
  };
  const run = ([, path, request, code, reason, message]: Case) =>
    client.send(path, request).then((answer) => check(answer, code, reason, message));

  describe('as a body', () => it.each(bodies)('%s', (...row) => run(row)));
  describe('as a name or version', () => it.each(names)('%s', (...row) => run(row)));
  describe('in a read', () => it.each(reads)('%s', (...row) => run(row)));
  describe('as a patch', () => it.each(patches)('%s', (...row) => run(row)));
  describe('as a path', () => it.each(paths)('%s', (...row) => run(row)));
  describe('as an identity', () => it.each(identities)('%s', (...row) => run(row)));

  it('takes an expired certificate for no identity, and one of another authority too', async () => {
    // A cluster of its own, for its keys have to be at hand.
    mkdirSync(join(embedded.folder, 'data'));
    const other = await startEmbedded({ dataDir: join(embedded.folder, 'data'), datastore: 'memory' });
    const raw = new RawClient(other);
    try {
      const pki = await openPki({ dir: join(embedded.folder, 'data', 'pki') });
      const past = await openPki({
        dir: join(embedded.folder, 'data', 'pki'),
        now: () => Date.now() - 30 * 86_400_000,
      });
      const request = { commonName: 'alice', organizations: ['system:masters'], usages: ['client'] as const };
      expect((await raw.send(CONFIG_MAPS, { identity: await pki.issue(request) })).code).toBe(200);
      check(
        await raw.send(CONFIG_MAPS, { identity: await past.issue({ ...request, ttlMs: 86_400_000 }) }),
        401,
        'Unauthorized',
        'Unauthorized',
      );
      check(
        await raw.send(CONFIG_MAPS, { identity: await (await openPki()).issue(request) }),
        401,
        'Unauthorized',
        'Unauthorized',
      );
    } finally {
      raw.close();
      await other.stop();
    }
  });

  it('warns of unknown and duplicate fields, and ignores them when asked to', async () => {
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"warned"},"dat":{},"data":{"a":"1","a":"2"}}';
    const warned = await client.send(`${CONFIG_MAPS}?fieldValidation=Warn&dryRun=All`, post(body));
    expect(warned.code).toBe(201);
    expect(warned.headers.warning).toBe('299 - "duplicate field \\"data.a\\"", 299 - "unknown field \\"dat\\""');
    const ignored = await client.send(`${CONFIG_MAPS}?fieldValidation=Ignore&dryRun=All`, post(body));
    expect(ignored.code).toBe(201);
    expect(ignored.headers.warning).toBeUndefined();
    expect(ignored.body).toMatchObject({ data: { a: '2' } });
    expect(ignored.body.dat).toBeUndefined();
  });

  it('keeps a __proto__ key as data', async () => {
    const created = await client.send(
      CONFIG_MAPS,
      post(
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto"},"data":{"__proto__":"x","constructor":"y"}}',
      ),
    );
    expect(created.code).toBe(201);
    expect(created.text).toContain('"data":{"__proto__":"x","constructor":"y"}');
    expect((await client.send(`${CONFIG_MAPS}/proto`)).text).toContain('"__proto__":"x"');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('takes an object with 50,000 labels or refuses it, and others wait not long', async () => {
    const labels = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`label-${i}`, `${i}`]));
    const huge = client.send(CONFIG_MAPS, post(named('huge', { metadata: { name: 'huge', labels } })));
    const started = performance.now();
    expect((await client.send('/readyz')).code).toBe(200);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect([201, 413]).toContain((await huge).code);
    await client.send(`${CONFIG_MAPS}/huge`, { method: 'DELETE' });
  });

  it('serves others while connections stand half way', async () => {
    const starts = [
      'GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\n',
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"api`,
    ];
    const sockets = await Promise.all(Array.from({ length: 60 }, () => client.socket()));
    for (const [index, socket] of sockets.entries()) socket.write(starts[index % starts.length]!);
    expect((await client.send(CONFIG_MAPS)).code).toBe(200);
    for (const socket of sockets) socket.destroy();
    const garbage = await client.socket();
    const answer = new Promise<string>((resolve) => {
      let text = '';
      garbage.on('data', (chunk) => {
        text += chunk;
      });
      garbage.on('close', () => resolve(text));
    });
    garbage.write('THIS IS NOT HTTP\r\n\r\n');
    expect(await answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
  });

  it('goes on: the watch from before sees what comes', async () => {
    const labeled = named('witness', { metadata: { name: 'witness', labels: { witness: 'yes' } } });
    expect((await client.send(CONFIG_MAPS, post(labeled))).code).toBe(201);
    await client.send(`${CONFIG_MAPS}/witness`, { method: 'DELETE' });
    await eventually(() => expect(watch.events).toEqual(['ADDED witness', 'DELETED witness']), { timeoutMs: 5_000 });
    expect((await client.send('/readyz')).text).toBe('ok');
  });
});
