import type { KindRegistry } from '../api/kind.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { AdmissionStep } from '../sdk/admission.ts';
import type { Authenticator } from '../sdk/authentication.ts';
import type { Authorizer } from '../sdk/authorization.ts';
import type { UserInfo } from '../sdk/user.ts';
import type { Store } from '../store/store.ts';
import type { BootstrapStep } from './bootstrap/bootstrap-objects.ts';
import type { MetricSource } from './health/exposition.ts';
import type { TlsMaterial } from './http/http-listener.ts';
import type { ObjectReader } from './object-reader.ts';
import type { RulesReviewer, TokenRequester } from './registry/reviews/review-services.ts';
import type { AuditTrail } from './request/audit-trail.ts';
import type { ValueTransformer } from './watch-cache/value-transformer.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly kinds: KindRegistry;
  readonly logger: Logger;
  /** Absent: reachable by in-process transports only. */
  readonly listen?: {
    /** `0.0.0.0` when absent. */
    readonly host?: string;
    /** Any free port when absent. */
    readonly port?: number;
    readonly tls: TlsMaterial;
  };
  /** These three are made when the server is: they may look at its objects, which are there once it has started. */
  authentication(reader: ObjectReader): Authenticator;
  authorization(reader: ObjectReader): Authorizer & Partial<RulesReviewer> & { readonly families?: MetricSource };
  /** The result is called at every request, for steps come and go with plugins. */
  admission?(
    reader: ObjectReader,
    transport: (user: UserInfo, userAgent?: string) => Transport,
  ): () => readonly AdmissionStep[];
  /** Of webhooks and policies, names of what has no say. */
  readonly disabledAdmission?: readonly string[];
  readonly audit?: AuditTrail;
  /** Encryption at rest. */
  readonly transformer?: ValueTransformer;
  /** Answers `serviceaccounts/token`. */
  tokenRequester?(reader: ObjectReader): TokenRequester;
  /** What must be there before the server is ready, beyond its own objects (RBAC's default roles). */
  readonly bootstrap?: readonly BootstrapStep[];
  /** Where clients in the cluster reach this server: endpoint of the `kubernetes` Service. The first bound address when absent. */
  readonly advertise?: { readonly address: string; readonly port?: number };
  /** `10.96.0.0/16` when absent; a second of the other family makes the cluster dual-stack. */
  readonly serviceCIDRs?: readonly string[];
  readonly nodePorts?: { readonly from: number; readonly to: number };
  readonly limits?: Partial<ApiServerLimits>;
  /** Unix time in ms. */
  readonly now?: () => number;
}

export interface ApiServerLimits {
  /** Of a request body, in bytes; 3 MiB. */
  readonly bodyBytes: number;
  /** Requests worked on at once; watches and streams don't count. */
  readonly readOnlyInFlight: number;
  readonly mutatingInFlight: number;
  /** How long a request that is not a watch or stream may take. */
  readonly requestTimeoutMs: number;
  /** History is kept this long at least, for watches and continue tokens. */
  readonly compactionIntervalMs: number;
  /** How long answers on their way may take when the server stops. */
  readonly shutdownGraceMs: number;
  /** How long it serves on, not ready, when it is told to stop: until load balancers have seen it. */
  readonly shutdownDelayMs: number;
  /** Whether new requests are refused while answers on their way end, with 429. */
  readonly shutdownSendRetryAfter: boolean;
  /** Of HTTP/2 requests whose clients are told to make their next ones on another connection, from 0 to 1. */
  readonly goawayChance: number;
}

export const DEFAULT_LIMITS: ApiServerLimits = {
  bodyBytes: 3 * 1024 * 1024,
  readOnlyInFlight: 400,
  mutatingInFlight: 200,
  requestTimeoutMs: 60_000,
  compactionIntervalMs: 300_000,
  shutdownGraceMs: 2_000,
  shutdownDelayMs: 0,
  shutdownSendRetryAfter: false,
  goawayChance: 0,
};
