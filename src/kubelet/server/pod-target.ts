import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { KubeletPods } from '../kubelet-pods.ts';

/** A refusal with the kubelet's words. */
export class KubeletError extends Error {
  override readonly name = 'KubeletError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Path segments after the verb: `NAMESPACE/POD[/UID]/CONTAINER`. */
export function podOfPath(
  pods: KubeletPods,
  segments: readonly string[],
  withContainer: boolean,
): { pod: Pod; container: string } {
  const [namespace = '', name = '', ...rest] = segments;
  const container = withContainer ? (rest.pop() ?? '') : '';
  const [uid] = rest;
  if (!namespace) throw new KubeletError(400, '{"message": "Missing podNamespace."}');
  if (!name) throw new KubeletError(400, '{"message": "Missing podID."}');
  if (withContainer && !container) throw new KubeletError(400, '{"message": "Missing container name."}');
  const pod = pods.get(namespace, name);
  if (!pod || (uid && pod.metadata.uid !== uid)) throw new KubeletError(404, 'pod does not exist');
  return { pod, container };
}
