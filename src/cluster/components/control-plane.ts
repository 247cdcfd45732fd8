import { isIP } from 'node:net';
import { join } from 'node:path';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Aggregation } from '../../apiserver/aggregation/aggregation.ts';
import { createEventRecorder } from '../../client/event-recorder.ts';
import type { Component } from '../graph/component.ts';
import { CONTROLLER_MANAGER, SCHEDULER } from '../identities.ts';
import { nodeVolumeAdmission } from '../join/node-volume-admission.ts';
import { hostAddress, hostNodeName } from '../machine.ts';
import type { ClusterConfig } from '../options.ts';
import type { ClusterParts, Connection } from '../parts.ts';
import type { CertificateRequest } from '../pki/pki.ts';
import { configureAccess } from './access.ts';
import { admissionOptions } from './admission.ts';
import { type Audit, openAudit } from './audit.ts';
import { type Encryption, openEncryption } from './encryption.ts';

const DAY_MS = 86_400_000;

/** Who the API server is to extension API servers, which it speaks for its users to. */
const FRONT_PROXY_CLIENT: CertificateRequest = { commonName: 'front-proxy-client', usages: ['client'] };

/** Who the API server is to kubelets. */
const KUBELET_CLIENT: CertificateRequest = {
  commonName: 'kube-apiserver-kubelet-client',
  organizations: ['system:masters'],
  usages: ['client'],
};

export function pkiComponent(parts: ClusterParts): Component {
  const { dataDir } = parts.config;
  return {
    name: 'pki',
    phase: 1,
    requires: [],
    async start() {
      const { openPki } = await import('../pki/pki.ts');
      parts.pki = await openPki(dataDir ? { dir: join(dataDir, 'pki') } : {});
    },
  };
}

export function datastoreComponent(parts: ClusterParts): Component {
  const { datastore, dataDir, etcdEndpoints } = parts.config;
  return {
    name: 'datastore',
    phase: 1,
    requires: [],
    async start() {
      if (datastore === 'memory') parts.store = (await import('../../store/memory/memory-store.ts')).openMemoryStore();
      else if (datastore === 'lmdb')
        parts.store = await (await import('../../store/lmdb/lmdb-store.ts')).openLmdbStore({
          path: join(dataDir!, 'datastore'),
        });
      else
        parts.store = await (await import('../../store/etcd/etcd-store.ts')).openEtcdStore({
          endpoints: etcdEndpoints,
        });
    },
    stop: () => parts.store.close(),
  };
}

/** Names and addresses under which clients reach the API server. */
export function servingRequest(config: ClusterConfig): CertificateRequest {
  const local = ['127.0.0.1', '::1', config.kubernetesServiceIP, hostAddress()];
  const bound = ['0.0.0.0', '::', 'localhost'].includes(config.bindAddress) ? [] : [config.bindAddress];
  return {
    commonName: 'kube-apiserver',
    usages: ['server'],
    dnsNames: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${config.clusterDomain}`,
      'localhost',
      hostNodeName(),
      ...config.tlsSans.filter((name) => !isIP(name)),
    ],
    ips: [...new Set([...local, ...bound, ...config.tlsSans.filter((name) => isIP(name))])],
  };
}

export function apiServerComponent(parts: ClusterParts): Component {
  const { config, logger } = parts;
  let renewal: NodeJS.Timeout | undefined;
  let aggregation: Aggregation | undefined;
  let encryption: Encryption | undefined;
  let endAccess: (() => void) | undefined;
  let audit: Audit | undefined;
  return {
    name: 'apiserver',
    phase: 1,
    requires: ['pki', 'datastore'],
    async start() {
      const [
        { API_SERVER_USER, createApiServer },
        { createSecurity },
        { TokenKeys },
        { builtinKinds },
        { createKindRegistry },
        { clusterRoles },
        { addProxyRoutes },
        { addIssuerRoutes },
        { addAggregation },
        { extensionAuthentication },
      ] = await Promise.all([
        import('../../apiserver/server.ts'),
        import('../../apiserver/security.ts'),
        import('../../apiserver/authentication/token-keys.ts'),
        import('../../api/builtin.ts'),
        import('../../api/registry.ts'),
        import('../identities.ts'),
        import('../../apiserver/proxy/proxy-routes.ts'),
        import('../../apiserver/discovery/issuer-routes.ts'),
        import('../../apiserver/aggregation/aggregation.ts'),
        import('../../apiserver/aggregation/authentication-config-map.ts'),
      ]);
      const { pki } = parts;
      const kinds = createKindRegistry(builtinKinds());
      const clientCAs = () => [pki.ca.cert];
      const frontProxy = { cas: () => [pki.frontProxyCa.cert], allowedNames: [FRONT_PROXY_CLIENT.commonName] };
      const extensionTrust = extensionAuthentication({ clientCAs, frontProxy });
      const tokenKeys = new TokenKeys({ signingKey: pki.serviceAccountKey });
      const security = createSecurity({
        kinds,
        logger,
        tokenKeys,
        clientCAs,
        frontProxy,
        admission: await admissionOptions(config, logger),
        extensions: [
          nodeVolumeAdmission({
            claim: (namespace, name) => parts.api.reader.get('persistentvolumeclaims', name, namespace),
          }),
        ],
      });
      endAccess = await configureAccess(config, security, logger);
      const tls = async () => {
        const { cert, key } = await pki.certificate('apiserver', servingRequest(config));
        // The authority goes along for joining nodes, which know nothing but its key.
        return { cert: `${cert}${pki.ca.cert}`, key, clientCA: [pki.ca.cert, pki.frontProxyCa.cert] };
      };
      audit = await openAudit(config, logger);
      encryption = await openEncryption(config, parts.store, logger);
      const api = createApiServer({
        ...security.serverOptions,
        ...(encryption ? { transformer: encryption.transformer } : {}),
        ...(audit ? { audit: audit.trail } : {}),
        disabledAdmission: config.disableAdmissionPlugins,
        store: parts.store,
        kinds,
        logger,
        listen: { host: config.bindAddress, port: config.apiPort, tls: await tls() },
        advertise: { address: config.bindAddress === '127.0.0.1' ? '127.0.0.1' : hostAddress() },
        serviceCIDRs: [config.serviceCIDR],
        limits: config.apiServerLimits,
        bootstrap: [...security.serverOptions.bootstrap, clusterRoles, extensionTrust],
      });
      if (encryption?.check) api.health.add('kms-providers', encryption.check);
      parts.security = security;
      const kubeletClient = () => pki.certificate('apiserver-kubelet-client', KUBELET_CLIENT);
      const frontProxyClient = () => pki.frontProxyCertificate('front-proxy-client', FRONT_PROXY_CLIENT);
      const [kubeletCertificate, firstFrontProxy] = await Promise.all([kubeletClient(), frontProxyClient()]);
      let kubelet = { ...kubeletCertificate, ca: pki.ca.cert };
      addIssuerRoutes(api.router, {
        issuer: security.tokenIssuer.issuer,
        keys: tokenKeys,
        jwksURI: () => `https://${hostAddress()}:${api.address?.port}/openid/v1/jwks`,
      });
      addProxyRoutes(api, { kubelet: () => kubelet });
      let frontProxyCertificate = firstFrontProxy;
      aggregation = addAggregation(api, { frontProxyCertificate: () => frontProxyCertificate });
      parts.api = api;
      try {
        await api.start();
      } catch (error) {
        throw listenFailure(error, config.apiPort);
      }
      aggregation.start();
      // Certificates that the pki finds due are renewed and put to use without a restart.
      renewal = setInterval(() => {
        kubeletClient().then(
          (renewed) => {
            kubelet = { ...renewed, ca: pki.ca.cert };
          },
          (error) => logger.error({ err: error }, 'the client certificate for kubelets was not renewed'),
        );
        pki
          .rotateIfNeeded()
          .then(tls)
          .then(
            (renewed) => api.renewCertificate(renewed),
            (error) => logger.error({ err: error }, 'the serving certificate was not renewed'),
          )
          .then(frontProxyClient)
          .then((renewed) => {
            frontProxyCertificate = renewed;
            return extensionTrust.run(api.transport(API_SERVER_USER, 'kube-apiserver'));
          })
          .catch((error) => logger.error({ err: error }, 'the certificate for extension API servers was not renewed'));
      }, DAY_MS / 2);
      renewal.unref();
      const port = api.address!.port;
      const host = ['0.0.0.0', '::'].includes(config.bindAddress) ? '127.0.0.1' : config.bindAddress;
      parts.addresses.apiserver = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    },
    async stop() {
      clearInterval(renewal);
      await aggregation?.stop();
      try {
        await parts.api.stop();
      } finally {
        encryption?.stop();
      }
      endAccess?.();
      await audit?.close();
    },
  };
}

export function controllerManagerComponent(parts: ClusterParts): Component {
  let connection: Connection | undefined;
  let manager: { stop(): Promise<void> } | undefined;
  return {
    name: 'controller-manager',
    phase: 1,
    requires: ['apiserver'],
    async start() {
      const [{ builtinControllers, createControllerManager }, { kubeletServingApprover }] = await Promise.all([
        import('../../controllers/index.ts'),
        import('../../controllers/certificates/kubelet-serving-approver.ts'),
      ]);
      const { pki, config, logger } = parts;
      connection = parts.connect(CONTROLLER_MANAGER, 'kube-controller-manager');
      const builtin = builtinControllers({
        rootCa: pki.ca.cert,
        signCertificate: ({ csr, usages, expirationSeconds }) =>
          pki.signRequest(csr, {
            usages: usages.includes('server auth')
              ? usages.includes('client auth')
                ? ['client', 'server']
                : ['server']
              : ['client'],
            ttlMs: Math.min((expirationSeconds ?? 365 * 86_400) * 1000, 365 * DAY_MS),
          }),
        issueSecretToken: (account, secret) =>
          parts.security.tokenIssuer.issueLegacy({
            namespace: account.metadata.namespace!,
            serviceAccount: { name: account.metadata.name, uid: account.metadata.uid! },
            secretName: secret.metadata.name,
          }),
        nodeIpam: { clusterCidrs: [config.clusterCIDR] },
        nodeLifecycle: { gracePeriodMs: config.nodeMonitorGracePeriodMs },
      });
      const controllers = [kubeletServingApprover({ serviceCIDRs: [config.serviceCIDR] }), ...builtin];
      const created = createControllerManager({ ...connection, controllers, logger, identity: hostNodeName() });
      manager = created;
      await created.start();
      parts.api.health.add('controller-manager', () => {
        if (created.waiting.length) throw new Error(`caches of ${created.waiting.join(', ')} are not synced`);
      }, ['readyz']);
    },
    async stop() {
      await manager?.stop();
      await connection?.close();
    },
  };
}

export function schedulerComponent(parts: ClusterParts): Component {
  let connection: Connection | undefined;
  let scheduler: { stop(): Promise<void> } | undefined;
  let recorder: { stop(): Promise<void> } | undefined;
  return {
    name: 'scheduler',
    phase: 1,
    requires: ['apiserver'],
    async start() {
      const { createScheduler } = await import('../../scheduler/scheduler.ts');
      const { logger } = parts;
      connection = parts.connect(SCHEDULER, 'kube-scheduler');
      const events = createEventRecorder({ client: connection.client, logger, component: 'default-scheduler' });
      recorder = events;
      const created = createScheduler({ ...connection, recorder: events, logger });
      scheduler = created;
      await created.start();
    },
    async stop() {
      await scheduler?.stop();
      await recorder?.stop();
      await connection?.close();
    },
  };
}

function listenFailure(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new CodedError(
      'PORT_IN_USE',
      `port ${port} is taken by another program`,
      'Free it, or choose another with --api-port.',
      { cause: error },
    );
  if (code === 'EACCES')
    return new CodedError(
      'PORT_FORBIDDEN',
      `port ${port} needs root`,
      'Run as root, or choose another with --api-port.',
      { cause: error },
    );
  return error;
}
