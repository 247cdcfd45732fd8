import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** A KMS v2 plugin (`v2.KeyManagementService`). Calls reject with gRPC's words. */
export interface KmsService {
  status(): Promise<{ readonly version: string; readonly healthz: string; readonly keyId: string }>;
  encrypt(plaintext: Uint8Array): Promise<EncryptedDek>;
  decrypt(dek: EncryptedDek): Promise<Buffer>;
  close(): void;
}

export interface EncryptedDek {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
}

const field = (type: string, id: number) => ({ type, id });
const annotations = { keyType: 'string', type: 'bytes' };
const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` });

/** Kubernetes' `staging/src/k8s.io/kms/apis/v2/api.proto`. */
export const KMS_DESCRIPTOR = {
  nested: {
    v2: {
      nested: {
        KeyManagementService: {
          methods: { Status: method('Status'), Encrypt: method('Encrypt'), Decrypt: method('Decrypt') },
        },
        StatusRequest: { fields: {} },
        StatusResponse: {
          fields: { version: field('string', 1), healthz: field('string', 2), key_id: field('string', 3) },
        },
        DecryptRequest: {
          fields: {
            ciphertext: field('bytes', 1),
            uid: field('string', 2),
            key_id: field('string', 3),
            annotations: { ...annotations, id: 4 },
          },
        },
        DecryptResponse: { fields: { plaintext: field('bytes', 1) } },
        EncryptRequest: { fields: { plaintext: field('bytes', 1), uid: field('string', 2) } },
        EncryptResponse: {
          fields: {
            ciphertext: field('bytes', 1),
            key_id: field('string', 2),
            annotations: { ...annotations, id: 3 },
          },
        },
      },
    },
  },
};

type Unary = (
  request: object,
  options: { deadline: number },
  done: (error: grpc.ServiceError | null, response: unknown) => void,
) => void;

/** Connects at the first call; `endpoint` is `unix:///path`, and `unix:///@name` an abstract socket. */
export function connectKms(endpoint: string, timeoutMs: number): KmsService {
  const definition = fromJSON(KMS_DESCRIPTOR as Parameters<typeof fromJSON>[0], { defaults: true, keepCase: true });
  const Client = grpc.makeGenericClientConstructor(
    definition['v2.KeyManagementService'] as grpc.ServiceDefinition,
    'v2.KeyManagementService',
  );
  const path = endpoint.slice('unix://'.length);
  const abstract = /^\/?@(.*)$/.exec(path);
  const client = new Client(
    abstract ? `unix-abstract:${abstract[1]}` : `unix:${path}`,
    grpc.credentials.createInsecure(),
    {
      // A path is no valid host name.
      'grpc.default_authority': 'localhost',
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
    },
  );
  const call = <R>(name: string, request: object) =>
    new Promise<R>((resolve, reject) => {
      const run = (client as unknown as Record<string, Unary>)[name]!;
      run.call(client, request, { deadline: Date.now() + timeoutMs }, (error, response) => {
        if (!error) return resolve(response as R);
        const code = grpc.status[error.code] ?? String(error.code);
        reject(new Error(`rpc error: code = ${code} desc = ${error.details}`, { cause: error }));
      });
    });
  return {
    async status() {
      const { version, healthz, key_id } = await call<{ version: string; healthz: string; key_id: string }>(
        'Status',
        {},
      );
      return { version, healthz, keyId: key_id };
    },
    async encrypt(plaintext) {
      const { ciphertext, key_id, annotations } = await call<{
        ciphertext: Buffer;
        key_id: string;
        annotations: Record<string, Buffer>;
      }>('Encrypt', { plaintext, uid: randomUUID() });
      return { ciphertext, keyId: key_id, annotations };
    },
    async decrypt({ ciphertext, keyId, annotations }) {
      const request = { ciphertext, uid: randomUUID(), key_id: keyId, annotations };
      return (await call<{ plaintext: Buffer }>('Decrypt', request)).plaintext;
    },
    close: () => client.close(),
  };
}
