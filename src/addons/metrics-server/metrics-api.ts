import type { Node, Pod } from '../../api/types/core.v1.gen.ts';
import { parseFieldSelector } from '../../apimachinery/fields.ts';
import { parseLabelSelector } from '../../apimachinery/labels.ts';
import { isStatusError, notFound, StatusError } from '../../apimachinery/status-error.ts';
import type { Informer } from '../../client/informer.ts';
import { discovery } from './discovery.ts';
import { GROUP, nodeMetrics, podMetrics, podTotal, VERSION } from './metrics-objects.ts';
import { metricsTable, tableVersion } from './metrics-table.ts';
import type { UsageStore } from './usage.ts';

export interface MetricsRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** The Accept header. */
  readonly accept?: string;
}

export interface MetricsResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: unknown;
}

/** Answers `metrics.k8s.io/v1beta1`, its discovery included. Whoever asks was authorized before. */
export type MetricsApi = (request: MetricsRequest) => MetricsResponse;

export interface MetricsApiOptions {
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly usages: UsageStore;
  readonly now?: () => number;
}

const JSON_TYPE = 'application/json';
const BASE = `/apis/${GROUP}/${VERSION}`;

export function createMetricsApi({ nodes, pods, usages, now = Date.now }: MetricsApiOptions): MetricsApi {
  function selected<T extends Node | Pod>(
    objects: readonly T[],
    { labelSelector, fieldSelector }: MetricsRequest['query'],
  ): readonly T[] {
    const labels = labelSelector ? parseLabelSelector(labelSelector) : undefined;
    const fields = fieldSelector ? parseFieldSelector(fieldSelector) : undefined;
    for (const { field } of fields?.requirements ?? []) {
      if (field !== 'metadata.name' && field !== 'metadata.namespace')
        throw new StatusError({ code: 400, reason: 'BadRequest', message: `field label not supported: ${field}` });
    }
    const matching = objects.filter(({ metadata }) => {
      const field = (name: string) => (name === 'metadata.name' ? metadata.name : (metadata.namespace ?? ''));
      return (!labels || labels.matches(metadata.labels)) && (!fields || fields.matches(field));
    });
    return matching.sort(
      (a, b) =>
        compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || compare(a.metadata.name, b.metadata.name),
    );
  }

  function nodeRows(objects: readonly Node[]) {
    return objects.flatMap((node) => {
      const usage = usages.node(node.metadata.name);
      if (!usage) return [];
      const object = nodeMetrics(node, usage, now());
      return [{ object, usage: object.usage }];
    });
  }

  function podRows(objects: readonly Pod[]) {
    return objects.flatMap((pod) => {
      const usage =
        pod.status?.phase === 'Running' ? usages.pod(pod.metadata.namespace ?? '', pod.metadata.name) : undefined;
      return usage ? [{ object: podMetrics(pod, usage, now()), usage: podTotal(usage) }] : [];
    });
  }

  function rowsOf({ path, query }: MetricsRequest) {
    const segments = path
      .slice(BASE.length + 1)
      .split('/')
      .map(decodeURIComponent);
    const [namespace, resource, name] = segments[0] === 'namespaces' ? segments.slice(1) : [undefined, ...segments];
    if (resource === 'nodes' && namespace === undefined) {
      if (name === undefined) return { kind: 'NodeMetricsList', rows: nodeRows(selected(nodes.list(), query)) };
      const node = nodes.get(name);
      return { one: name, resource: 'nodemetrics', rows: node ? nodeRows([node]) : [] };
    }
    if (resource === 'pods' && segments.length <= 4) {
      if (name === undefined) return { kind: 'PodMetricsList', rows: podRows(selected(pods.list(namespace), query)) };
      const pod = namespace === undefined ? undefined : pods.get(`${namespace}/${name}`);
      return { one: `${namespace}/${name}`, resource: 'podmetrics', rows: pod ? podRows([pod]) : [] };
    }
    throw new StatusError({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource',
    });
  }

  function answer(request: MetricsRequest): MetricsResponse {
    const document = discovery(request.path, request.accept);
    if (document) return { status: 200, ...document };
    if (request.path !== BASE && !request.path.startsWith(`${BASE}/`)) {
      throw new StatusError({
        code: 404,
        reason: 'NotFound',
        message: 'the server could not find the requested resource',
      });
    }
    if (request.method !== 'GET' || request.query.watch === 'true' || request.query.watch === '1') {
      throw new StatusError({
        code: 405,
        reason: 'MethodNotAllowed',
        message: 'the server does not allow this method on the requested resource',
      });
    }
    const { kind, rows, one, resource } = rowsOf(request);
    const version = tableVersion(request.accept);
    if (one !== undefined && rows.length === 0) throw notFound({ group: GROUP, resource }, one);
    const contentType = JSON_TYPE;
    if (version) return { status: 200, contentType, body: metricsTable(version, rows, request.query.includeObject) };
    if (one !== undefined) return { status: 200, contentType, body: rows[0]?.object };
    return {
      status: 200,
      contentType,
      body: { kind, apiVersion: `${GROUP}/${VERSION}`, metadata: {}, items: rows.map(({ object }) => object) },
    };
  }

  return (request) => {
    try {
      return answer(request);
    } catch (error) {
      if (isStatusError(error)) return { status: error.code, contentType: JSON_TYPE, body: error.status };
      if (error instanceof URIError)
        return {
          status: 400,
          contentType: JSON_TYPE,
          body: new StatusError({ code: 400, reason: 'BadRequest', message: error.message }).status,
        };
      throw error;
    }
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
