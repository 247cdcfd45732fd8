/** What the gRPC codec makes of rpc.json: int64 as decimal strings, bytes as Buffers. */
export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly version: string;
  readonly lease: string;
}

export interface ResponseHeader {
  readonly revision: string;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: string;
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range?: RangeResponse }[];
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly {
    readonly type: 'PUT' | 'DELETE';
    readonly kv: EtcdKeyValue;
    readonly prev_kv: EtcdKeyValue | null;
  }[];
}

export interface LeaseResponse {
  readonly ID: string;
  readonly TTL: string;
}
