import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import {
  buildKubeconfig,
  mergeKubeconfig,
  removeFromKubeconfig,
  userKubeconfig,
  writeKubeconfig,
} from './kubeconfig.ts';

const server = 'https://127.0.0.1:6443';
const access = { server, ca: 'CA', cert: 'CERT', key: 'KEY', name: 'k8ts' };
const kubeconfig = buildKubeconfig(access);
const EXISTING = `# mine
apiVersion: v1
kind: Config
preferences: {}
clusters:
- cluster:
    server: https://prod.example.com # keep
  name: prod
contexts:
- context: {cluster: prod, user: me, namespace: shop}
  name: prod
current-context: prod
users:
- name: me
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token]
`;

describe('kubeconfig', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'k8ts-kubeconfig-'));
    file = join(dir, 'config');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('connects with what it was built from', async () => {
    expect(await loadKubeconfig(kubeconfig)).toMatchObject({
      context: 'k8ts',
      namespace: 'default',
      server,
      ca: Buffer.from('CA'),
      cert: Buffer.from('CERT'),
      key: Buffer.from('KEY'),
    });
    const token = buildKubeconfig({ server, ca: 'CA', token: 'a: b', namespace: 'team', name: 'x: y' });
    expect(await loadKubeconfig(token)).toMatchObject({ context: 'x: y', namespace: 'team', token: 'a: b' });
  });

  it('is readable by its owner only, links followed', () => {
    const link = join(dir, 'link');
    writeFileSync(file, 'old', { mode: 0o644 });
    symlinkSync(file, link);
    writeKubeconfig(link, kubeconfig);
    expect(readFileSync(file, 'utf8')).toBe(kubeconfig);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('merges a context into a file, again and again, and out of it without a trace', async () => {
    writeFileSync(file, EXISTING);
    expect(mergeKubeconfig({ kubeconfig, context: 'k8ts', file })).toBe(file);
    mergeKubeconfig({ kubeconfig: kubeconfig.replace('6443', '7443'), context: 'k8ts', file });
    const merged = readFileSync(file, 'utf8');
    expect(parse(merged).contexts).toHaveLength(2);
    expect(merged).toContain('# mine');
    expect(merged).toContain('https://prod.example.com # keep');
    expect(await loadKubeconfig(merged)).toMatchObject({ context: 'k8ts', server: 'https://127.0.0.1:7443' });
    expect(removeFromKubeconfig({ context: 'k8ts', file, server })).toBe(false);
    expect(removeFromKubeconfig({ context: 'k8ts', file, server: 'https://127.0.0.1:7443' })).toBe(true);
    expect(removeFromKubeconfig({ context: 'k8ts', file })).toBe(false);
    expect(parse(readFileSync(file, 'utf8'))).toEqual({ ...parse(EXISTING), 'current-context': '' });
  });

  it('takes the name that it is given, makes a missing file, and fills empty lists', async () => {
    mergeKubeconfig({ kubeconfig, context: 'other', file: join(dir, 'new', 'config') });
    const made = readFileSync(join(dir, 'new', 'config'), 'utf8');
    expect(await loadKubeconfig(made)).toMatchObject({ context: 'other', cert: Buffer.from('CERT') });
    writeFileSync(file, 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: null\nusers: []\n');
    mergeKubeconfig({ kubeconfig, context: 'k8ts', file });
    expect(await loadKubeconfig(readFileSync(file, 'utf8'))).toMatchObject({ context: 'k8ts', server });
  });

  it('leaves alone what is no kubeconfig', () => {
    for (const text of ['kind: Pod\n', '- a\n', 'a: [\n', 'kind: Config\nusers: {}\n']) {
      writeFileSync(file, text);
      expect(() => mergeKubeconfig({ kubeconfig, context: 'k8ts', file })).toThrow(
        expect.objectContaining({ code: 'KUBECONFIG_INVALID' }),
      );
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
  });

  it('knows where kubectl looks', () => {
    expect(userKubeconfig({ KUBECONFIG: '/a/b:/c' })).toBe('/a/b');
    expect(userKubeconfig({})).toMatch(/\.kube.config$/);
  });
});
