import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtinKinds } from '../src/api/builtin.ts';
import { createKindRegistry } from '../src/api/registry.ts';
import { silentLogger } from '../src/apimachinery/logger.ts';
import { TokenKeys } from '../src/apiserver/authentication/token-keys.ts';
import { createSecurity } from '../src/apiserver/security.ts';
import { API_SERVER_USER, createApiServer } from '../src/apiserver/server.ts';
import { limitHeapGrowth } from '../src/cli/heap-growth.ts';
import { openPki } from '../src/cluster/pki/pki.ts';
import { openLmdbStore } from '../src/store/lmdb/lmdb-store.ts';
import { GROUP } from './support/objects.ts';
import { serveControl } from './support/server-process.ts';

/** The API server alone, as `k8ts server` runs it: lmdb, TLS, RBAC, admission; `bench` may do what its role says. */
const dir = mkdtempSync(join(process.env.K8TS_BENCH_DIR ?? tmpdir(), 'k8ts-bench-'));
const pki = await openPki();
const store = await openLmdbStore({ path: dir });
const kinds = createKindRegistry(builtinKinds());
const logger = silentLogger;
const security = createSecurity({
  kinds,
  logger,
  tokenKeys: new TokenKeys({ signingKey: pki.serviceAccountKey }),
  clientCAs: () => [pki.ca.cert],
});
const server = await pki.certificate('apiserver', { commonName: 'apiserver', usages: ['server'], ips: ['127.0.0.1'] });
const user = await pki.certificate('bench', { commonName: 'bench', organizations: ['developers'], usages: ['client'] });
const api = createApiServer({
  ...security.serverOptions,
  store,
  kinds,
  logger,
  listen: { host: '127.0.0.1', port: 0, tls: { ...server, clientCA: pki.ca.cert } },
});
await api.start();
limitHeapGrowth();

const system = api.transport(API_SERVER_USER, 'bench-setup');
const create = (path: string, body: object) => system.request({ method: 'POST', path, body });
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const rbac = { apiGroup: 'rbac.authorization.k8s.io' };
await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bench' } });
await create('/api/v1/namespaces/bench/serviceaccounts', {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default' },
});
await create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'bench' },
  rules: [
    { apiGroups: [''], resources: ['pods', 'configmaps'], verbs },
    { apiGroups: [GROUP], resources: ['*'], verbs },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs },
  ],
});
await create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'bench' },
  roleRef: { ...rbac, kind: 'ClusterRole', name: 'bench' },
  subjects: [{ ...rbac, kind: 'User', name: 'bench' }],
});

serveControl({ port: api.address!.port, ca: pki.ca.cert, cert: user.cert, key: user.key }, async () => {
  await api.stop();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});
