import type { NodeParts } from '../node-site.ts';

/**
 * The site stops: its pods end too. What a crash leaves running is adopted by the next start instead. Called before the
 * network goes, which is needed to take pods' interfaces away.
 */
export function endPods(node: NodeParts): Promise<void> {
  node.podsEnded ??= (async () => {
    await node.kubelet?.stop();
    await node.kubelet?.removePods();
  })();
  return node.podsEnded;
}
