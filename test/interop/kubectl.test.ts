import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type EmbeddedCluster, startEmbedded } from '../support/embedded-cluster.ts';
import type { Kubectl } from '../support/kubectl.ts';
import { everyKind, type KindCase, listOf, type Manifest, NAME, NAMESPACE } from './every-kind.ts';

const kinds = everyKind();
const labeled = (labels: object) =>
  listOf(
    kinds.map(({ manifest }) => ({
      ...manifest,
      metadata: { ...manifest.metadata, labels: { suite: 'interop', ...labels } },
    })),
  );
/** What kubectl prints before `created`: `deployment.apps/every-kind`. */
const printed = ({ manifest }: KindCase) => {
  const group = manifest.apiVersion.includes('/') ? `.${manifest.apiVersion.split('/')[0]}` : '';
  return `${manifest.kind.toLowerCase()}${group}/${manifest.metadata.name}`;
};
/** As objects come back from the server, or as they were sent. */
type Stored = Manifest & {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
};

describe('kubectl over every GA kind', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;
  let folder: string;
  let all: string;

  beforeAll(async () => {
    embedded = await startEmbedded();
    kubectl = await embedded.kubectl(NAMESPACE);
    folder = mkdtempSync(join(tmpdir(), 'k8ts-kinds-'));
    all = join(folder, 'all.json');
    writeFileSync(all, labeled({}));
    await kubectl(`create namespace ${NAMESPACE}`);
    // Pods ask for it, and its controller makes it a moment after the namespace.
    await kubectl('wait --for=create serviceaccount/default --timeout=10s');
  });
  afterAll(async () => {
    await embedded.stop();
    rmSync(folder, { recursive: true });
  });

  const stored = async () => (JSON.parse(await kubectl(['get', '-f', all, '-o', 'json'])) as { items: Stored[] }).items;
  const lines = (text: string) => text.trimEnd().split('\n');
  /** Every kind did it, each in a line of its own. */
  const everyLine = (output: string, did: string) =>
    expect(lines(output)).toEqual(kinds.map((kind) => `${printed(kind)} ${did}`));

  it('lists every kind the test knows among the API resources, and no stored kind that the test does not know', async () => {
    const resources = lines(await kubectl('api-resources --verbs=create,get,delete -o name'));
    const own = [
      'plugins.plugins.k8ts.dev',
      'events.events.k8s.io',
      'storageversionmigrations.storagemigration.k8s.io', // of a beta version
    ];
    expect(resources.filter((name) => !own.includes(name)).sort()).toEqual(
      kinds.map(({ resource }) => resource).sort(),
    );
  });

  it('creates from a minimal manifest', async () => {
    everyLine(await kubectl(['create', '-f', all]), 'created');
  });

  it('refuses to create the same again', async () => {
    const { code, stderr } = await kubectl.run(['create', '-f', all]);
    expect(code).toBe(1);
    for (const { resource, manifest } of kinds)
      expect(stderr).toMatch(
        new RegExp(
          `${resource.replaceAll('.', '\\.')} "${manifest.metadata.name}" already exists|provided IP is already allocated`,
        ),
      );
  });

  it('reads back what was sent, with metadata of the server', async () => {
    const items = await stored();
    expect(items).toHaveLength(kinds.length);
    for (const [index, item] of items.entries()) {
      const { metadata, stringData, ...sent } = kinds[index]!.manifest as Manifest & { stringData?: object };
      expect(item, printed(kinds[index]!)).toMatchObject(sent);
      expect(item.metadata).toMatchObject({
        ...metadata,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        creationTimestamp: expect.any(String),
      });
    }
  });

  it('prints yaml, names, tables, custom columns and jsonpath', async () => {
    const yaml = await kubectl(['get', '-f', all, '-o', 'yaml']);
    expect(
      parseAllDocuments(yaml)[0]!
        .toJS()
        .items.map((item: Stored) => item.metadata.name),
    ).toEqual(kinds.map(({ manifest }) => manifest.metadata.name));
    expect(lines(await kubectl(['get', '-f', all, '-o', 'name']))).toEqual(kinds.map(printed));
    const columns = lines(
      await kubectl(['get', '-f', all, '--no-headers', '-o', 'custom-columns=K:.kind,N:.metadata.name']),
    );
    expect(columns.map((line) => line.split(/\s+/))).toEqual(
      kinds.map(({ manifest }) => [manifest.kind, manifest.metadata.name]),
    );
    expect(await kubectl(['get', '-f', all, '-o', 'jsonpath={.items[*].kind}'])).toBe(
      kinds.map(({ manifest }) => manifest.kind).join(' '),
    );
  });

  it('prints the columns of each kind', async () => {
    const blocks = (text: string) =>
      text
        .trimEnd()
        .split('\n\n')
        .map((block) => lines(block));
    const plain = blocks(await kubectl(['get', '-f', all]));
    expect(plain).toHaveLength(kinds.length);
    const headers = Object.fromEntries(
      plain.map(([head], index) => [
        kinds[index]!.resource.split('.')[0],
        head!
          .trimEnd()
          .split(/\s{2,}/)
          .join('|'),
      ]),
    );
    expect(headers).toMatchObject({
      configmaps: 'NAME|DATA|AGE',
      deployments: 'NAME|READY|UP-TO-DATE|AVAILABLE|AGE',
      pods: 'NAME|READY|STATUS|RESTARTS|AGE',
      services: 'NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE',
      persistentvolumes:
        'NAME|CAPACITY|ACCESS MODES|RECLAIM POLICY|STATUS|CLAIM|STORAGECLASS|VOLUMEATTRIBUTESCLASS|REASON|AGE',
      ingresses: 'NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE',
      jobs: 'NAME|STATUS|COMPLETIONS|DURATION|AGE',
      roles: 'NAME|CREATED AT',
      events: 'LAST SEEN|TYPE|REASON|OBJECT|MESSAGE',
      ipaddresses: 'NAME|PARENTREF',
    });
    for (const [index, [, row]] of plain.entries())
      if (kinds[index]!.resource !== 'events') expect(row).toMatch(new RegExp(`^${printed(kinds[index]!)}( |$)`));
    const wide = blocks(await kubectl(['get', '-f', all, '-o', 'wide']));
    expect(wide[kinds.findIndex(({ resource }) => resource === 'deployments.apps')]![1]).toMatch(
      /main\s+registry\.example\/app:1\s+app=every-kind$/,
    );
    expect(
      lines(await kubectl(['get', 'configmap', NAME, '--show-labels', '--show-kind', '-L', 'app'])).join('\n'),
    ).toMatch(/NAME +DATA +AGE +APP +LABELS\nconfigmap\/every-kind +1 +\S+ +suite=interop$/);
  });

  it('describes', async () => {
    const text = await kubectl(['describe', '-f', all]);
    for (const { manifest } of kinds)
      expect(text).toMatch(new RegExp(`^Name: +${manifest.metadata.name.replaceAll('.', '\\.')}$`, 'm'));
  });

  it('labels and annotates, and takes it off again', async () => {
    everyLine(await kubectl(['label', '-f', all, 'interop=yes']), 'labeled');
    everyLine(await kubectl(['annotate', '-f', all, 'interop.example/note=two words']), 'annotated');
    for (const { metadata } of await stored())
      expect(metadata).toMatchObject({
        labels: { interop: 'yes' },
        annotations: { 'interop.example/note': 'two words' },
      });
    const { stderr } = await kubectl.run(['label', '-f', all, 'interop=no']);
    expect(stderr).toContain("'interop' already has a value (yes), and --overwrite is false");
    everyLine(await kubectl(['label', '-f', all, 'interop-']), 'unlabeled');
    everyLine(await kubectl(['annotate', '-f', all, 'interop.example/note-']), 'annotated');
    for (const { metadata } of await stored()) expect(metadata.labels?.interop).toBeUndefined();
  });

  it.each([
    ['strategic', { metadata: { labels: { patched: 'strategic' } } }],
    ['merge', { metadata: { labels: { patched: 'merge' } } }],
    ['json', [{ op: 'replace', path: '/metadata/labels/patched', value: 'json' }]],
  ])('patches: %s', async (type, patch) => {
    everyLine(await kubectl(['patch', '-f', all, '--type', type, '-p', JSON.stringify(patch)]), 'patched');
    const items = await stored();
    for (const { metadata } of items) expect(metadata.labels?.patched).toBe(type);
    everyLine(await kubectl(['patch', '-f', all, '--type', type, '-p', JSON.stringify(patch)]), 'patched');
    for (const [index, { metadata }] of (await stored()).entries())
      expect(metadata.resourceVersion, printed(kinds[index]!)).toBe(items[index]!.metadata.resourceVersion);
    expect(await kubectl(['patch', 'configmap', NAME, '--type', type, '-p', JSON.stringify(patch)])).toBe(
      `configmap/${NAME} patched (no change)\n`,
    );
  });

  it('applies: once to take over, then unchanged', async () => {
    const first = await kubectl.run(['apply', '-f', all]);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toContain('is missing the kubectl.kubernetes.io/last-applied-configuration annotation');
    everyLine(first.stdout, 'configured');
    // A selector of a PodDisruptionBudget is replaced, which kubectl counts as a change.
    expect(lines(await kubectl(['apply', '-f', all]))).toEqual(
      kinds.map(
        (kind) => `${printed(kind)} ${kind.manifest.kind === 'PodDisruptionBudget' ? 'configured' : 'unchanged'}`,
      ),
    );
    expect((await kubectl.run(['diff', '-f', all])).code).toBe(0);
  });

  it('diffs and applies a change', async () => {
    const changed = join(folder, 'changed.json');
    writeFileSync(changed, labeled({ applied: 'yes' }));
    const diff = await kubectl.run(['diff', '-f', changed]);
    expect(diff.code, diff.stderr).toBe(1);
    expect(diff.stdout.match(/^\+ +applied: "yes"$/gm)).toHaveLength(kinds.length);
    everyLine(await kubectl(['apply', '-f', changed]), 'configured');
    for (const { metadata } of await stored())
      expect(metadata.labels).toMatchObject({ applied: 'yes', patched: 'json' });
    everyLine(await kubectl(['apply', '-f', all]), 'configured');
    for (const { metadata } of await stored()) expect(metadata.labels?.applied).toBeUndefined();
  });

  it('applies on the server: conflicts, then force', async () => {
    const changed = join(folder, 'server-side.json');
    writeFileSync(changed, labeled({ patched: 'server' }));
    const refused = await kubectl.run(['apply', '--server-side', '--field-manager', 'interop', '-f', changed]);
    expect(refused.code).toBe(1);
    expect(refused.stderr.match(/conflicts? with "kubectl-patch"/g)).toHaveLength(kinds.length);
    expect(refused.stderr).toContain('.metadata.labels.patched');
    everyLine(
      await kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager', 'interop', '-f', changed]),
      'serverside-applied',
    );
    everyLine(
      await kubectl(['apply', '--server-side', '--field-manager', 'interop', '-f', changed]),
      'serverside-applied',
    );
    const items = JSON.parse(await kubectl(['get', '-f', all, '-o', 'json', '--show-managed-fields']))
      .items as (Stored & { metadata: { managedFields: { manager: string; operation: string }[] } })[];
    for (const { metadata } of items) {
      expect(metadata.labels?.patched).toBe('server');
      expect(metadata.managedFields).toContainEqual(
        expect.objectContaining({ manager: 'interop', operation: 'Apply' }),
      );
    }
  });

  it('replaces', async () => {
    const file = join(folder, 'replace.json');
    writeFileSync(
      file,
      listOf(
        (await stored()).map((item) => ({
          ...item,
          metadata: { ...item.metadata, annotations: { ...item.metadata.annotations, replaced: 'yes' } },
        })),
      ),
    );
    everyLine(await kubectl(['replace', '-f', file]), 'replaced');
    for (const { metadata } of await stored()) expect(metadata.annotations?.replaced).toBe('yes');
  });

  it('runs dry on the server: creates nothing', async () => {
    const file = join(folder, 'dry.json');
    const other = kinds.filter(({ manifest }) => manifest.metadata.name === NAME && manifest.kind !== 'Namespace');
    writeFileSync(
      file,
      listOf(other.map(({ manifest }) => ({ ...manifest, metadata: { ...manifest.metadata, name: 'dry' } }))),
    );
    expect(lines(await kubectl(['create', '--dry-run=server', '-f', file]))).toHaveLength(other.length);
    expect(await kubectl(['get', '-f', file, '--ignore-not-found'])).toBe('');
  });

  it('explains', async () => {
    const pods = await kubectl('explain pods.spec.containers.image');
    expect(pods).toMatch(/KIND: +Pod\nVERSION: +v1\n\nFIELD: image <string>/);
    for (const { resource, manifest } of kinds) {
      const text = await kubectl(['explain', resource.split('.')[0]!, '--api-version', manifest.apiVersion]);
      expect(text).toMatch(new RegExp(`KIND: +${manifest.kind}\n`));
      expect(text).toMatch(/^ {2}metadata\t<ObjectMeta>( -required-)?$/m);
      for (const field of Object.keys(manifest)) expect(text).toMatch(new RegExp(`^ {2}${field}\t`, 'm'));
    }
    expect(await kubectl('explain deployment --recursive')).toMatch(/^ {8}containers\t<\[\]Container> -required-$/m);
    expect((await kubectl.run('explain pods.nothing')).stderr).toContain('error: field "nothing" does not exist');
  });

  it('deletes', async () => {
    const output = await kubectl(['delete', '-f', all, '--timeout=30s']);
    expect(lines(output)).toEqual(
      kinds.map(
        (kind) =>
          `${printed(kind).replace('/', ' "')}" deleted${kind.namespaced ? ` from ${NAMESPACE} namespace` : ''}`,
      ),
    );
    expect(await kubectl(['get', '-f', all, '--ignore-not-found'])).toBe('');
  });
});
