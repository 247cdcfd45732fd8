import type { UnstructuredObject, WatchEvent } from './meta.ts';

/** An API request at the level of objects: both transports share paths and queries, and differ in the codec alone. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without query: `/api/v1/namespaces/default/pods/web`. Segments are URI-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** An object (or a JSON patch array) that the caller does not change afterwards. */
  readonly body?: unknown;
  /** Of the body; `application/json` when absent. Patches name theirs. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface ApiResponse<T = unknown> {
  readonly status: number;
  readonly body: T;
  readonly warnings: readonly string[];
}

export interface WatchStream {
  /** Resolves when the server or `stop` ends the watch; rejects with StatusError (410 Expired, ...) or a transport failure. */
  readonly done: Promise<void>;
  stop(): void;
}

export interface Transport {
  /** Throws StatusError for a status of 400 and above. */
  request<T = unknown>(request: ApiRequest): Promise<ApiResponse<T>>;
  /** `request.query` without `watch`. Events come in order, in batches. An ERROR event ends the stream by rejecting `done`. */
  watch(request: ApiRequest, onEvents: (events: readonly WatchEvent<UnstructuredObject>[]) => void): WatchStream;
  close(): Promise<void>;
}
