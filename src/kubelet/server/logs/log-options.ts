/** What of a log is wanted. */
export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Epoch milliseconds. */
  readonly since?: number;
  readonly limitBytes?: number;
  /** Both when absent. */
  readonly stream?: 'stdout' | 'stderr';
}

/** From the query of a kubelet request. Throws an Error with the words of the 400. */
export function logOptions(query: URLSearchParams, now: number): LogOptions {
  const tailLines = whole(query, 'tailLines', 0);
  const limitBytes = whole(query, 'limitBytes', 1);
  const sinceSeconds = whole(query, 'sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  const since = sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
  if (Number.isNaN(since)) throw new Error(`sinceTime: Invalid value: "${sinceTime}"`);
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(since === undefined ? {} : { since }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(stream === 'stdout' || stream === 'stderr' ? { stream } : {}),
  };
}

const flag = (query: URLSearchParams, name: string) => ['true', '1'].includes(query.get(name) ?? '');

function whole(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new Error(`${name}: Invalid value: ${text}: must be an integer greater than or equal to ${least}`);
  return value;
}
