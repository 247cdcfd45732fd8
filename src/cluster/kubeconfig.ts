import { randomBytes } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type * as Yaml from 'yaml';
import { CodedError } from '../apimachinery/coded-error.ts';

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** PEM, all three. */
  readonly ca: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
  readonly namespace?: string;
  /** Of the context, its cluster and its user; `k8ts` when absent. */
  readonly name?: string;
}

const DEFAULT_NAME = 'k8ts';
const LISTS = ['clusters', 'users', 'contexts'] as const;

/** A kubeconfig with one context. */
export function buildKubeconfig(options: KubeconfigOptions): string {
  const name = JSON.stringify(options.name ?? DEFAULT_NAME);
  const data = (pem: string | undefined) => (pem === undefined ? undefined : Buffer.from(pem).toString('base64'));
  const fields = (values: Readonly<Record<string, string | undefined>>) =>
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => `    ${field}: ${value}\n`)
      .join('');
  const user = fields({
    'client-certificate-data': data(options.certificate),
    'client-key-data': data(options.key),
    token: options.token === undefined ? undefined : JSON.stringify(options.token),
  });
  return `apiVersion: v1
kind: Config
clusters:
- name: ${name}
  cluster:
${fields({ 'certificate-authority-data': data(options.ca), server: JSON.stringify(options.server) })}users:
- name: ${name}
  user:${user ? `\n${user}` : ' {}\n'}contexts:
- name: ${name}
  context:
${fields({ cluster: name, user: name, namespace: options.namespace === undefined ? undefined : JSON.stringify(options.namespace) })}current-context: ${name}
`;
}

/** Makes it the file's only content, 0600, whole or not at all. */
export async function writeKubeconfig(file: string, options: KubeconfigOptions): Promise<void> {
  await writeText(file, buildKubeconfig(options));
}

/** Where kubectl writes: the first file of KUBECONFIG, else `~/.kube/config`. */
export function userKubeconfig(environment: NodeJS.ProcessEnv = process.env): string {
  const first = environment.KUBECONFIG?.split(delimiter).find((file) => file !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

/**
 * Puts the context into a file, in place of one of that name, and makes it current. All else in it stays, comments too.
 * Throws CodedError KUBECONFIG_INVALID when the file is something else.
 */
export async function mergeKubeconfig(file: string, options: KubeconfigOptions): Promise<void> {
  const name = options.name ?? DEFAULT_NAME;
  const text = await readText(file);
  if (!text?.trim()) return writeKubeconfig(file, options);
  const source = parse('the new kubeconfig', buildKubeconfig(options));
  const document = parse(file, text);
  for (const list of LISTS) {
    const entry = document.createNode(find(source, list, name)?.toJSON());
    const items = listOf(document, list, file);
    const at = indexOf(items, name);
    if (at === -1) items.add(entry);
    else items.set(at, entry);
  }
  document.set('current-context', name);
  await writeText(file, document.toString({ lineWidth: 0 }));
}

/**
 * Takes the context with its cluster and user out again; false when the file does not have it, and is not touched.
 * `server`, when given, has to be the cluster's: another cluster of that name is somebody else's.
 */
export async function removeFromKubeconfig(
  file: string,
  options: { readonly name?: string; readonly server?: string } = {},
): Promise<boolean> {
  const { name = DEFAULT_NAME, server } = options;
  const text = await readText(file);
  if (!text?.trim()) return false;
  const document = parse(file, text);
  if (server !== undefined && find(document, 'clusters', name)?.getIn(['cluster', 'server']) !== server) return false;
  let removed = false;
  for (const list of LISTS) {
    const items = listOf(document, list, file);
    const at = indexOf(items, name);
    if (at === -1) continue;
    items.delete(at);
    removed = true;
  }
  if (!removed) return false;
  if (document.get('current-context') === name) document.set('current-context', '');
  await writeText(file, document.toString({ lineWidth: 0 }));
  return true;
}

function parse(file: string, text: string): Yaml.Document {
  const document = yaml().parseDocument(text);
  const [error] = document.errors;
  if (error) throw invalid(file, error.message.split('\n')[0] ?? '');
  const kind = yaml().isMap(document.contents) ? document.get('kind') : 'a list or text';
  if (kind !== 'Config' && kind !== undefined) throw invalid(file, `its kind is ${String(kind)}, not Config`);
  return document;
}

function listOf(document: Yaml.Document, list: string, file: string): Yaml.YAMLSeq {
  const items = document.get(list);
  if (yaml().isSeq(items)) {
    // `[]`, as kubectl may leave it, would take the entries on one line.
    items.flow = false;
    return items;
  }
  if (items !== undefined && items !== null) throw invalid(file, `its ${list} is not a list`);
  const created = document.createNode([]) as Yaml.YAMLSeq;
  document.set(list, created);
  return created;
}

function find(document: Yaml.Document, list: string, name: string): Yaml.YAMLMap | undefined {
  const items = document.get(list);
  if (!yaml().isSeq(items)) return undefined;
  return items.items[indexOf(items, name)] as Yaml.YAMLMap | undefined;
}

function indexOf(items: Yaml.YAMLSeq, name: string): number {
  return items.items.findIndex((item) => yaml().isMap(item) && item.get('name') === name);
}

/** Loaded when a file of a user's is merged, which most starts don't do. */
function yaml(): typeof Yaml {
  return createRequire(import.meta.url)('yaml') as typeof Yaml;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeText(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // A link is followed: people keep their kubeconfig elsewhere.
  const target = await realpath(file).catch(() => file);
  const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flush: true });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function invalid(file: string, why: string): CodedError {
  return new CodedError(
    'KUBECONFIG_INVALID',
    `${file} is no kubeconfig: ${why}`,
    'Correct the file or choose another.',
  );
}
