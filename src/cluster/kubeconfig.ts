import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  readonly namespace?: string;
  /** Of the context, its cluster and its user. */
  readonly name: string;
}

interface ContextTarget {
  /** Name of the context, its cluster and its user in the file. */
  readonly context: string;
  /** The user's own kubeconfig when absent. */
  readonly file?: string;
}

const LISTS = ['clusters', 'users', 'contexts'] as const;

/** A kubeconfig with one context. */
export function buildKubeconfig(options: KubeconfigOptions): string {
  const name = JSON.stringify(options.name);
  const data = (pem: string | undefined) => (pem === undefined ? undefined : Buffer.from(pem).toString('base64'));
  const fields = (values: Readonly<Record<string, string | undefined>>) =>
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => `    ${field}: ${value}\n`)
      .join('');
  const user = fields({
    'client-certificate-data': data(options.cert),
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

/** 0600, and whole or not at all. */
export function writeKubeconfig(file: string, kubeconfig: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // A link is followed: people keep their kubeconfig elsewhere.
  const target = existsSync(file) ? realpathSync(file) : file;
  const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, kubeconfig, { mode: 0o600, flush: true });
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Where kubectl writes: the first file of KUBECONFIG, else `~/.kube/config`. */
export function userKubeconfig(environment: NodeJS.ProcessEnv = process.env): string {
  const first = environment.KUBECONFIG?.split(delimiter).find((file) => file !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

/**
 * Puts the current context of `kubeconfig` into a file as `context`, in place of one of that name, and makes it current.
 * All else in it stays, comments too. Returns the file. Throws CodedError KUBECONFIG_INVALID when it is something else.
 */
export function mergeKubeconfig(options: ContextTarget & { readonly kubeconfig: string }): string {
  const { context, file = userKubeconfig() } = options;
  const source = parse('the new kubeconfig', options.kubeconfig);
  const text = readText(file);
  const document = parse(file, text?.trim() ? text : 'apiVersion: v1\nkind: Config\n');
  const current = String(source.get('current-context'));
  const refersTo = find(source, 'contexts', current);
  const names = {
    clusters: String(refersTo?.getIn(['context', 'cluster'])),
    users: String(refersTo?.getIn(['context', 'user'])),
    contexts: current,
  };
  for (const list of LISTS) {
    const entry = find(source, list, names[list])?.toJSON() as { context?: object };
    const added =
      list === 'contexts'
        ? { name: context, context: { ...entry.context, cluster: context, user: context } }
        : { ...entry, name: context };
    const items = listOf(document, list, file);
    const at = indexOf(items, context);
    if (at === -1) items.add(document.createNode(added));
    else items.set(at, document.createNode(added));
  }
  document.set('current-context', context);
  writeKubeconfig(file, document.toString({ lineWidth: 0 }));
  return file;
}

/**
 * Takes the context with its cluster and user out again; false when the file does not have it, and is not touched.
 * `server`, when given, has to be the cluster's: another cluster of that name is somebody else's.
 */
export function removeFromKubeconfig(options: ContextTarget & { readonly server?: string }): boolean {
  const { context, file = userKubeconfig(), server } = options;
  const text = readText(file);
  if (!text?.trim()) return false;
  const document = parse(file, text);
  if (server !== undefined && find(document, 'clusters', context)?.getIn(['cluster', 'server']) !== server)
    return false;
  let removed = false;
  for (const list of LISTS) {
    const items = listOf(document, list, file);
    const at = indexOf(items, context);
    if (at === -1) continue;
    items.delete(at);
    removed = true;
  }
  if (!removed) return false;
  if (document.get('current-context') === context) document.set('current-context', '');
  writeKubeconfig(file, document.toString({ lineWidth: 0 }));
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

function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function invalid(file: string, why: string): CodedError {
  return new CodedError(
    'KUBECONFIG_INVALID',
    `${file} is no kubeconfig: ${why}`,
    'Correct the file or choose another.',
  );
}
