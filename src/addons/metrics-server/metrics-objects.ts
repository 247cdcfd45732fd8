import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { PodUsage, Usage } from './usage.ts';

export const GROUP = 'metrics.k8s.io';
export const VERSION = 'v1beta1';
const apiVersion = `${GROUP}/${VERSION}`;

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly creationTimestamp: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ResourceUsage {
  readonly cpu: string;
  readonly memory: string;
}

export interface NodeMetrics {
  readonly kind: 'NodeMetrics';
  readonly apiVersion: string;
  readonly metadata: Metadata;
  readonly timestamp: string;
  readonly window: string;
  readonly usage: ResourceUsage;
}

export interface PodMetrics {
  readonly kind: 'PodMetrics';
  readonly apiVersion: string;
  readonly metadata: Metadata;
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly { readonly name: string; readonly usage: ResourceUsage }[];
}

export function nodeMetrics(node: Node, usage: Usage, now: number): NodeMetrics {
  return {
    kind: 'NodeMetrics',
    apiVersion,
    metadata: metadataOf(node, now),
    timestamp: timestamp(usage.time),
    window: goDuration(usage.windowMs),
    usage: amounts([usage]),
  };
}

/** The window is that of the container which was read first. */
export function podMetrics(pod: Pod, { containers }: PodUsage, now: number): PodMetrics {
  const usages = [...containers.values()];
  const earliest = usages.reduce((first, usage) => (usage.time < first.time ? usage : first));
  return {
    kind: 'PodMetrics',
    apiVersion,
    metadata: metadataOf(pod, now),
    timestamp: timestamp(earliest.time),
    window: goDuration(earliest.windowMs),
    containers: [...containers].map(([name, usage]) => ({ name, usage: amounts([usage]) })),
  };
}

/** The sum over a pod's containers. */
export function podTotal({ containers }: PodUsage): ResourceUsage {
  return amounts([...containers.values()]);
}

function amounts(usages: readonly Usage[]): ResourceUsage {
  const sum = (field: 'cpuNanoCores' | 'memoryBytes') =>
    Math.round(usages.reduce((total, usage) => total + usage[field], 0));
  return {
    cpu: Quantity.parse(`${sum('cpuNanoCores')}n`).toString(),
    memory: Quantity.parse(`${Math.floor(sum('memoryBytes') / 1024)}Ki`).toString(),
  };
}

function metadataOf({ metadata }: Node | Pod, now: number): Metadata {
  const { name, namespace, labels } = metadata;
  return {
    name,
    ...(namespace ? { namespace } : {}),
    creationTimestamp: timestamp(now),
    ...(labels ? { labels } : {}),
  };
}

const timestamp = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** As Go writes a time.Duration: `15.062s`, `1m30s`, `950ms`. */
export function goDuration(ms: number): string {
  const rounded = Math.round(ms);
  if (rounded < 1000) return rounded === 0 ? '0s' : `${rounded}ms`;
  const hours = Math.floor(rounded / 3_600_000);
  const minutes = Math.floor((rounded % 3_600_000) / 60_000);
  const seconds = (rounded % 60_000) / 1000;
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}
