import { useEffect, useState } from 'react';
import { type ApiObject, watchCollection } from './api.ts';

export interface Collection {
  readonly objects: readonly ApiObject[];
  readonly loading: boolean;
  readonly error: Error | undefined;
}

/** A collection that stays current while the component is shown. */
export function useCollection(path: string): Collection {
  const [objects, setObjects] = useState<readonly ApiObject[]>([]);
  const [loading, setLoading] = useState(true);
  const [error, setError] = useState<Error | undefined>();
  useEffect(() => {
    const controller = new AbortController();
    setLoading(true);
    setObjects([]);
    void watchCollection(
      path,
      controller.signal,
      (next) => {
        setObjects(next);
        setLoading(false);
      },
      (next) => {
        setError(next);
        if (next) setLoading(false);
      },
    );
    return () => controller.abort();
  }, [path]);
  return { objects, loading, error };
}

/** The time, once a second: ages count on. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
