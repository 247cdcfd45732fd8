import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { MAX_SCORE, type SchedulerPlugin } from '../framework.ts';

const MIN_BYTES = 23 * 1024 * 1024;
const MAX_BYTES_PER_CONTAINER = 1000 * 1024 * 1024;

/** Prefers nodes that already have the pod's images, weighed by size and by how many nodes have them. */
export const imageLocality: SchedulerPlugin = {
  name: 'ImageLocality',
  events: [],
  preScore(state, pod, nodes) {
    const wanted = new Set(imagesOf(pod));
    const holders = new Map<string, number>();
    for (const { node } of nodes)
      for (const name of imageSizes(node).keys()) if (wanted.has(name)) holders.set(name, (holders.get(name) ?? 0) + 1);
    if (holders.size === 0) return 'skip';
    state.set('ImageLocality', { holders, nodeCount: nodes.length });
    return undefined;
  },
  score(state, pod, { node }) {
    const { holders, nodeCount } = state.get('ImageLocality') as { holders: Map<string, number>; nodeCount: number };
    const sizes = imageSizes(node);
    let sum = 0;
    const images = imagesOf(pod);
    for (const image of images) sum += (sizes.get(image) ?? 0) * ((holders.get(image) ?? 0) / nodeCount);
    const max = MAX_BYTES_PER_CONTAINER * images.length;
    const clamped = Math.min(Math.max(sum, MIN_BYTES), max);
    return Math.floor((MAX_SCORE * (clamped - MIN_BYTES)) / (max - MIN_BYTES));
  },
};

function imagesOf(pod: Pod): string[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(({ image }) =>
    image ? [withTag(image)] : [],
  );
}

function imageSizes(node: Node): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const image of node.status?.images ?? [])
    for (const name of image.names ?? []) sizes.set(name, image.sizeBytes ?? 0);
  return sizes;
}

function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') && !image.includes('@') ? `${image}:latest` : image;
}
