/** As much of the API's objects as the pages show. */
export interface ApiObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: pages read kinds by their known fields
  readonly spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly status?: any;
  readonly [field: string]: unknown;
}

export interface User {
  readonly username: string;
  readonly groups?: readonly string[];
}

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function failure(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => ({}));
  return new ApiError(response.status, body.message ?? `${response.status} ${response.statusText}`);
}

export async function currentUser(): Promise<User | undefined> {
  const response = await fetch('/session');
  return response.ok ? response.json() : undefined;
}

export async function login(credentials: { token: string } | { kubeconfig: string }): Promise<User> {
  const response = await fetch('/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(credentials),
  });
  if (!response.ok) throw await failure(response);
  return response.json();
}

export async function logout(): Promise<void> {
  await fetch('/session', { method: 'DELETE' });
}

/** GET of an API path, as the logged-in user. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(`/k8s${path}`, {
    headers: { accept: 'application/json' },
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/**
 * Lists a collection and keeps it current until the signal aborts. `onChange` gets all objects after the list and after
 * each batch of events; `onError` what went wrong before the next try, or nothing when it works again.
 */
export async function watchCollection(
  path: string,
  signal: AbortSignal,
  onChange: (objects: readonly ApiObject[]) => void,
  onError: (error: Error | undefined) => void,
): Promise<void> {
  let delay = 500;
  while (!signal.aborted) {
    try {
      const list = await getJson<{ metadata: { resourceVersion: string }; items: readonly ApiObject[] }>(path, signal);
      const objects = new Map(list.items.map((object) => [object.metadata.uid, object]));
      const publish = () => onChange([...objects.values()]);
      publish();
      onError(undefined);
      delay = 500;
      await followEvents(
        `${path}${path.includes('?') ? '&' : '?'}watch=1&resourceVersion=${list.metadata.resourceVersion}`,
        signal,
        (events) => {
          for (const { type, object } of events) {
            if (type === 'DELETED') objects.delete(object.metadata.uid);
            else if (type === 'ADDED' || type === 'MODIFIED') objects.set(object.metadata.uid, object);
            else if (type === 'ERROR') throw new Error('the watch expired');
          }
          publish();
        },
      );
    } catch (error) {
      if (signal.aborted) return;
      onError(error as Error);
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
      await new Promise((resolve) => setTimeout(resolve, delay));
      delay = Math.min(delay * 2, 10_000);
    }
  }
}

async function followEvents(
  path: string,
  signal: AbortSignal,
  onEvents: (events: readonly { type: string; object: ApiObject }[]) => void,
): Promise<void> {
  await readLines(path, signal, (lines) => onEvents(lines.map((line) => JSON.parse(line))));
}

/** Reads a streaming answer line by line, in batches as they arrive. Resolves at its end. */
export async function readLines(
  path: string,
  signal: AbortSignal,
  onLines: (lines: readonly string[]) => void,
): Promise<void> {
  const response = await fetch(`/k8s${path}`, { signal });
  if (!response.ok || !response.body) throw await failure(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length) onLines(lines);
  }
  if (rest) onLines([rest]);
}
