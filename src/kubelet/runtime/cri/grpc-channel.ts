import type { ClientReadableStream, Metadata, ServiceError } from '@grpc/grpc-js';
import type { AnyDefinition } from '@grpc/proto-loader';
import { RuntimeError } from '../runtime-error.ts';

type UnaryMethod = (
  request: object,
  metadata: Metadata,
  options: { deadline?: number },
  callback: (error: ServiceError | null, response: unknown) => void,
) => void;

/** One service of a unix socket's gRPC server. Errors come as RuntimeError. */
export interface GrpcService {
  /** `timeoutMs` of 0 waits without end. */
  call<R>(method: string, request: object, timeoutMs?: number): Promise<R>;
  serverStream<R>(method: string, request: object): ClientReadableStream<R>;
  /** The raw client, for bidirectional streams. */
  readonly raw: Record<string, unknown>;
  metadata(): Metadata;
}

export interface GrpcChannel {
  service(name: string): GrpcService;
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 120_000;
/** Names of gRPC's status codes, in order. */
const CODES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/**
 * Opens a channel to `endpoint` (`unix:///path` or a path) with the services of a protobuf.js descriptor. Int64 fields
 * are numbers: nanosecond times lose under a microsecond, all else fits.
 */
export async function openGrpcChannel(
  endpoint: string,
  descriptor: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<GrpcChannel> {
  const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
  const definition = loader.fromJSON(descriptor as Parameters<typeof loader.fromJSON>[0], {
    longs: Number,
    enums: String,
    defaults: true,
    keepCase: true,
  });
  const address = grpcAddress(endpoint);
  const options = {
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.max_send_message_length': 64 * 1024 * 1024,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    // A unix socket is a local authority; a path there is not a valid host name.
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config': '{}',
    'grpc.service_config_disable_resolution': 1,
  };
  const clients: { close(): void }[] = [];
  const metadata = () => {
    const result = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) result.set(name, value);
    return result;
  };
  return {
    service(name) {
      const service = definition[name] as AnyDefinition | undefined;
      if (!service || 'format' in service) throw new Error(`the descriptor has no service ${name}`);
      const Client = grpc.makeGenericClientConstructor(service, name);
      const client = new Client(address, grpc.credentials.createInsecure(), options);
      clients.push(client);
      const raw = client as unknown as Record<string, unknown>;
      return {
        raw,
        metadata,
        call<R>(method: string, request: object, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<R> {
          return new Promise((resolve, reject) => {
            const options = timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
            (raw[method] as UnaryMethod).call(client, request, metadata(), options, (error, response) => {
              if (error) reject(toRuntimeError(error));
              else resolve(response as R);
            });
          });
        },
        serverStream<R>(method: string, request: object): ClientReadableStream<R> {
          return (raw[method] as (request: object, metadata: Metadata) => ClientReadableStream<R>).call(
            client,
            request,
            metadata(),
          );
        },
      };
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

export function toRuntimeError(error: ServiceError): RuntimeError {
  return new RuntimeError(CODES[error.code] ?? 'Unknown', error.details || error.message, { cause: error });
}

/** grpc-js takes `unix:` with a path; a bare path is one too. */
function grpcAddress(endpoint: string): string {
  if (endpoint.startsWith('unix://')) return `unix:${endpoint.slice('unix://'.length)}`;
  return endpoint.startsWith('/') ? `unix:${endpoint}` : endpoint;
}
