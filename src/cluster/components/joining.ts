import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { Secrets } from '../../client/resource-types.gen.ts';
import type { Component } from '../graph/component.ts';
import { ADMIN } from '../identities.ts';
import { caPinOf, formatJoinToken, type JoinToken, newJoinToken, parseJoinToken } from '../join/join-token.ts';
import { publishNodeSettings } from '../join/node-settings.ts';
import { hostAddress } from '../machine.ts';
import type { ClusterParts } from '../parts.ts';

/** Lets hosts join with `k8ts agent`: writes the join token, and publishes what nodes have to know. */
export function joiningComponent(parts: ClusterParts): Component {
  return {
    name: 'node-joining',
    phase: 1,
    requires: [parts.requires.api],
    async start() {
      const { config, pki } = parts;
      if (!config.dataDir) return { skipped: 'there is no data directory for the join token' };
      if (['127.0.0.1', '::1', 'localhost'].includes(config.bindAddress))
        return { skipped: 'the API server listens for this host alone' };
      const connection = parts.connect(ADMIN, 'k8ts');
      try {
        parts.addresses['apiserver for nodes'] = `https://${hostAddress()}:${parts.api.address!.port}`;
        const token = await keptToken(joinTokenFile(config.dataDir), caPinOf(pki.ca.cert));
        const { disable, clusterDNS, ...settings } = config;
        await Promise.all([
          ensureBootstrapToken(connection.client, token),
          publishNodeSettings(connection.client, disable.has('dns') ? settings : { ...settings, clusterDNS }),
        ]);
      } finally {
        await connection.close();
      }
    },
  };
}

export const joinTokenFile = (dataDir: string) => join(dataDir, 'join-token');

/** The same at every start: hosts that are set up to join go on working. To revoke it, delete the file and the Secret. */
async function keptToken(file: string, caPin: string): Promise<JoinToken> {
  const kept = await readFile(file, 'utf8')
    .then(parseJoinToken)
    .catch(() => undefined);
  if (kept?.caPin === caPin) return kept;
  const token = newJoinToken(caPin);
  await writeFile(`${file}.tmp`, `${formatJoinToken(token)}\n`, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
  return token;
}

/** What is there stays: an administrator may have given it an end. */
async function ensureBootstrapToken(client: Client, { id, secret }: JoinToken): Promise<void> {
  await client
    .for(Secrets)
    .create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: {
        description: 'Written to join-token in the data directory of the server: for `k8ts agent`.',
        'token-id': id,
        'token-secret': secret,
        'usage-bootstrap-authentication': 'true',
        'auth-extra-groups': 'system:bootstrappers:k8ts',
      },
    })
    .catch((error) => {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    });
}
