import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { HttpTransportOptions } from './http-transport.ts';

/** Where to connect and as whom, as a kubeconfig's context says. */
export interface KubeconfigConnection
  extends Pick<
    HttpTransportOptions,
    'server' | 'ca' | 'cert' | 'key' | 'token' | 'tokenFile' | 'insecureSkipTlsVerify' | 'tlsServerName'
  > {
  readonly context: string;
  /** `default` when the context names none. */
  readonly namespace: string;
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { name: string; cluster?: Fields }[];
  readonly users?: readonly { name: string; user?: Fields }[];
  readonly contexts?: readonly { name: string; context?: Fields }[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a kubeconfig (YAML or JSON). File names in it are relative to `baseDir`. Users with an exec or auth-provider
 * plugin are refused with KUBECONFIG_INVALID.
 */
export async function loadKubeconfig(
  text: string,
  options: { readonly context?: string; readonly baseDir?: string } = {},
): Promise<KubeconfigConnection> {
  const { parse } = await import('yaml');
  const config = parse(text) as Kubeconfig | null;
  const contextName = options.context ?? config?.['current-context'] ?? '';
  const context = named(config?.contexts, 'context', contextName)?.context ?? {};
  const cluster = named(config?.clusters, 'cluster', String(context.cluster ?? ''))?.cluster ?? {};
  const user: Fields = context.user ? (named(config?.users, 'user', String(context.user))?.user ?? {}) : {};
  if (user.exec || user['auth-provider'])
    throw invalidConfig(`user "${String(context.user)}" needs an authentication plugin`);
  const server = stringField(cluster, 'server');
  if (!server) throw invalidConfig(`cluster "${String(context.cluster)}" names no server`);

  const material = async (fields: Fields, name: string): Promise<Buffer | undefined> => {
    const inline = stringField(fields, `${name}-data`);
    if (inline) return Buffer.from(inline, 'base64');
    const file = stringField(fields, name);
    return file ? readFile(resolve(options.baseDir ?? '.', file)) : undefined;
  };
  const [ca, cert, key] = await Promise.all([
    material(cluster, 'certificate-authority'),
    material(user, 'client-certificate'),
    material(user, 'client-key'),
  ]);
  const tokenFile = stringField(user, 'tokenFile');
  return {
    context: contextName,
    namespace: stringField(context, 'namespace') || 'default',
    server,
    ca,
    cert,
    key,
    token: stringField(user, 'token'),
    tokenFile: tokenFile ? resolve(options.baseDir ?? '.', tokenFile) : undefined,
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    tlsServerName: stringField(cluster, 'tls-server-name'),
  };
}

function named<T extends { name: string }>(entries: readonly T[] | undefined, what: string, name: string): T {
  const entry = entries?.find((candidate) => candidate.name === name);
  if (!entry) throw invalidConfig(name ? `no ${what} is named "${name}"` : `it names no ${what}`);
  return entry;
}

function stringField(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalidConfig(why: string): CodedError {
  return new CodedError(
    'KUBECONFIG_INVALID',
    `The kubeconfig can't be used: ${why}.`,
    'Choose another context or correct the file.',
  );
}
