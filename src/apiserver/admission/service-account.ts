import { randomInt } from 'node:crypto';
import type { Container, Pod, ServiceAccount, Volume } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { podReferences } from '../authorization/node/pod-references.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { isFor, quote, rejected } from './rejection.ts';

export interface ServiceAccountStepOptions {
  readonly lookup: AdmissionLookup;
  /** How long a pod waits for the `default` ServiceAccount of a namespace that was made just now; 1,000 when absent. */
  readonly defaultAccountWaitMs?: number;
}

const TOKEN_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
const MIRROR = 'kubernetes.io/config.mirror';
/** As Go reads a boolean. */
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const ENFORCE_SECRETS = 'kubernetes.io/enforce-mountable-secrets';

/** Gives a pod its ServiceAccount, the token volume that lets it reach the API, and the account's pull secrets. */
export function serviceAccountStep({ lookup, defaultAccountWaitMs = 1000 }: ServiceAccountStepOptions): AdmissionStep {
  async function accountOf(attributes: AdmissionAttributes, pod: Pod): Promise<ServiceAccount> {
    const name = pod.spec.serviceAccountName || 'default';
    const deadline = Date.now() + (name === 'default' ? defaultAccountWaitMs : 0);
    for (;;) {
      const account = await find(lookup, 'serviceaccounts', name, attributes.namespace);
      if (account) return account;
      if (Date.now() >= deadline) {
        throw rejected(
          attributes,
          pod,
          `error looking up service account ${attributes.namespace}/${name}: serviceaccount ${quote(name)} not found`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  return {
    name: 'ServiceAccount',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
      (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', 'ephemeralcontainers')),
    async mutate(attributes, object) {
      if (attributes.operation !== 'CREATE') return;
      const pod = object as unknown as Draft<Pod>;
      if (pod.metadata.annotations?.[MIRROR] !== undefined) return;
      if (!pod.spec.serviceAccountName) pod.spec.serviceAccountName = 'default';
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const account = await accountOf(attributes, pod);
      if (shouldMountToken(account, pod)) mountToken(pod);
      if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
        pod.spec.imagePullSecrets = account.imagePullSecrets.map((reference) => ({ ...reference }));
    },
    async validate(attributes, object) {
      const pod = object as unknown as Pod;
      if (pod.metadata.annotations?.[MIRROR] !== undefined) {
        if (attributes.operation === 'CREATE') checkMirrorPod(attributes, pod);
        return;
      }
      const account = await accountOf(attributes, pod);
      if (TRUE.has(account.metadata.annotations?.[ENFORCE_SECRETS] ?? ''))
        checkMountableSecrets(attributes, pod, account);
    },
  };
}

function shouldMountToken(account: ServiceAccount, pod: Pod): boolean {
  return pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
}

function mountToken(pod: Draft<Pod>): void {
  const { spec } = pod;
  const existing = spec.volumes?.find((volume) => volume.name.startsWith(VOLUME_PREFIX));
  const name = existing?.name ?? VOLUME_PREFIX + randomSuffix();
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers] as Draft<Container>[]) {
    if (container.volumeMounts?.some((mount) => mount.mountPath === TOKEN_MOUNT_PATH)) continue;
    needed = true;
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: TOKEN_MOUNT_PATH }];
  }
  if (needed && !existing) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name) as Draft<Volume>];
}

/** Token, CA certificate and namespace in one directory. Its token asks for 3607 seconds, which the server extends. */
function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}

const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const randomSuffix = () => Array.from({ length: 5 }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join('');

function checkMirrorPod(attributes: AdmissionAttributes, pod: Pod): void {
  if (pod.spec.serviceAccountName) throw rejected(attributes, pod, 'a mirror pod may not reference service accounts');
  const references = podReferences({ ...pod, metadata: { ...pod.metadata, annotations: {} } });
  if (references.some((reference) => reference.startsWith('secrets/')))
    throw rejected(attributes, pod, 'a mirror pod may not reference secrets');
  for (const volume of pod.spec.volumes ?? []) {
    if (volume.projected?.sources?.some((source) => source.serviceAccountToken)) {
      throw rejected(attributes, pod, 'a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

function checkMountableSecrets(attributes: AdmissionAttributes, pod: Pod, account: ServiceAccount): void {
  const mountable = new Set((account.secrets ?? []).map((secret) => secret.name));
  const refuse = (what: string, kind = 'secret') => {
    throw rejected(
      attributes,
      pod,
      `${what} is not allowed because service account ${account.metadata.name} does not reference that ${kind}`,
    );
  };
  for (const volume of pod.spec.volumes ?? []) {
    const name = volume.secret?.secretName;
    if (name && !mountable.has(name)) refuse(`volume with secret.secretName=${quote(name)}`);
  }
  for (const [kind, containers = []] of [
    ['init container', pod.spec.initContainers],
    ['container', pod.spec.containers],
    ['ephemeral container', pod.spec.ephemeralContainers as readonly unknown[] as readonly Container[] | undefined],
  ] as const) {
    for (const container of containers) {
      const { env = [], envFrom = [] } = container;
      for (const variable of env) {
        const name = variable.valueFrom?.secretKeyRef?.name;
        if (name && !mountable.has(name))
          refuse(`${kind} ${container.name} with envVar ${variable.name} referencing secret.secretName=${quote(name)}`);
      }
      for (const { secretRef } of envFrom)
        if (secretRef?.name && !mountable.has(secretRef.name))
          refuse(`${kind} ${container.name} with envFrom referencing secret.secretName=${quote(secretRef.name)}`);
    }
  }
  const pullable = new Set((account.imagePullSecrets ?? []).map((secret) => secret.name));
  (pod.spec.imagePullSecrets ?? []).forEach(({ name }, index) => {
    if (name && !pullable.has(name)) refuse(`imagePullSecrets[${index}].name=${quote(name)}`, 'imagePullSecret');
  });
}
