import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../apimachinery/logger.ts';
import type { KubeletPods } from '../kubelet-pods.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { isRuntimeError } from '../runtime/runtime-error.ts';
import { containerOfLog, hasContainer } from './logs/container-log.ts';
import { logOptions } from './logs/log-options.ts';
import { readLog } from './logs/read-log.ts';
import { readRuntimeLog } from './logs/runtime-log.ts';
import { KubeletError, podOfPath } from './pod-target.ts';
import { Figures } from './stats/figures.ts';
import { cadvisorMetrics, kubeletMetrics, resourceMetrics } from './stats/metrics.ts';
import { statsSummary } from './stats/summary.ts';
import { serveCommand } from './streaming/command-session.ts';
import { servePortForward } from './streaming/port-forward.ts';
import type { UpgradeRequest } from './streaming/upgrade.ts';

/** What the kubelet's server serves. */
export interface KubeletTarget {
  readonly nodeName: string;
  readonly pods: KubeletPods;
  readonly runtime: ContainerRuntime;
  readonly logger: Logger;
  /** Its file system is the node's in the statistics. */
  readonly dataDir?: string;
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The kubelet's HTTP API on the pods of one node. Refusals are thrown as KubeletError. */
export class KubeletHandlers {
  readonly #target: KubeletTarget;
  readonly #figures: Figures;

  constructor(target: KubeletTarget) {
    this.#target = target;
    this.#figures = new Figures({ pods: target.pods, runtime: target.runtime, dataDir: target.dataDir });
  }

  async handle(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { nodeName, pods } = this.#target;
    const [root = '', ...segments] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    const path = url.pathname.replace(/\/$/, '');
    if (root === 'run') {
      if (request.method !== 'POST') throw new KubeletError(405, 'Method Not Allowed');
      return this.#run(segments, url.searchParams, response);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new KubeletError(
        ['exec', 'attach', 'portForward'].includes(root) ? 400 : 405,
        ['exec', 'attach', 'portForward'].includes(root) ? 'Upgrade request required' : 'Method Not Allowed',
      );
    switch (path) {
      case '/healthz':
      case '/healthz/ping':
        return send(response, 'text/plain; charset=utf-8', 'ok');
      case '/pods':
        return send(
          response,
          'application/json',
          JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.list() }),
        );
      case '/stats/summary':
        return send(
          response,
          'application/json',
          JSON.stringify(statsSummary(nodeName, await this.#figures.read()), undefined, 1),
        );
      case '/metrics':
        return send(response, METRICS_TYPE, kubeletMetrics(nodeName, pods));
      case '/metrics/resource':
        return send(response, METRICS_TYPE, resourceMetrics(await this.#figures.read()));
      case '/metrics/cadvisor':
        return send(response, METRICS_TYPE, cadvisorMetrics(await this.#figures.read()));
    }
    if (root === 'containerLogs') return this.#logs(segments, url.searchParams, request, response);
    if (root === 'exec' || root === 'attach' || root === 'portForward')
      throw new KubeletError(400, 'Upgrade request required');
    throw new KubeletError(404, '404 page not found\n');
  }

  async upgrade(url: URL, upgrade: UpgradeRequest): Promise<void> {
    const { pods, runtime } = this.#target;
    const [root = '', ...segments] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    if (root === 'exec' || root === 'attach') {
      const { pod, container: name } = podOfPath(pods, segments, true);
      const container = pods.container(pod, name);
      if (container?.state !== 'running') throw new KubeletError(500, `container not found ("${name}")`);
      return serveCommand(upgrade, url.searchParams, ({ command, ...streams }) =>
        root === 'exec'
          ? runtime.streaming.exec(container.id, command, streams)
          : runtime.streaming.attach(container.id, { ...streams, ...terminalOf(pod, name, streams.tty) }),
      );
    }
    if (root === 'portForward') {
      const { pod } = podOfPath(pods, segments, false);
      const sandbox = pods.sandboxId(pod);
      if (sandbox === undefined) throw new KubeletError(500, `failed to find sandbox for pod "${pod.metadata.name}"`);
      return servePortForward(upgrade, url.searchParams, (ports) => runtime.streaming.portForward(sandbox, ports));
    }
    throw new KubeletError(404, '404 page not found\n');
  }

  async #logs(
    segments: readonly string[],
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { pods, runtime, logger } = this.#target;
    const [namespace = '', podName = '', name = ''] = segments;
    const pod = pods.get(namespace, podName);
    if (!pod) throw new KubeletError(404, `pod "${podName}" does not exist\n`);
    if (!hasContainer(pod, name)) throw new KubeletError(404, `container "${name}" not found in pod "${podName}"\n`);
    const { options, container } = asBadRequest(() => {
      const wanted = logOptions(query, Date.now());
      return { options: wanted, container: containerOfLog(pods, pod, name, wanted.previous) };
    });
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    request.resume();
    const begin = () => {
      if (response.headersSent) return;
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      response.flushHeaders();
    };
    const write = (chunk: Buffer) => {
      begin();
      if (response.destroyed || response.write(chunk)) return;
      return new Promise<void>((resolve) => {
        const done = () => {
          response.off('drain', done).off('close', done);
          resolve();
        };
        response.on('drain', done).on('close', done);
      });
    };
    try {
      if (container.logPath) {
        const running = () => {
          const now = pods.runtimePod(pod.metadata.uid ?? '')?.containers.find(({ id }) => id === container.id);
          return now?.state === 'running';
        };
        if (options.follow) begin();
        await readLog({ path: container.logPath, running }, options, abort.signal, write);
      } else if (runtime.logs) {
        if (options.follow) begin();
        await readRuntimeLog(runtime.logs, container.id, options, abort.signal, write);
      }
    } catch (error) {
      logger.warn({ err: error, container: container.id }, 'a container log could not be read');
      const text = `unable to retrieve container logs for ${container.id}`;
      if (!response.headersSent) throw new KubeletError(400, text);
      response.write(text);
    }
    begin();
    response.end();
  }

  /** Runs a command to its end and answers with what it wrote. */
  async #run(segments: readonly string[], query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { pods, runtime } = this.#target;
    const { pod, container: name } = podOfPath(pods, segments, true);
    const container = pods.container(pod, name);
    if (container?.state !== 'running') throw new KubeletError(500, `container not found ("${name}")`);
    const command = query.has('command')
      ? query.getAll('command')
      : (query.get('cmd') ?? '').split(' ').filter((part) => part !== '');
    const { stdout, stderr } = await runtime.containers.execSync(container.id, command, 0);
    send(response, 'text/plain; charset=utf-8', Buffer.concat([stdout, stderr]));
  }
}

/** A container has a terminal or not from its start: what the client says of it does not count. */
function terminalOf(
  pod: { readonly spec: { readonly containers: readonly { readonly name: string; readonly tty?: boolean }[] } },
  name: string,
  asked: boolean,
): { tty: boolean } {
  const container = pod.spec.containers.find((candidate) => candidate.name === name);
  return { tty: container ? container.tty === true : asked };
}

function asBadRequest<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new KubeletError(400, (error as Error).message);
  }
}

function send(response: ServerResponse, contentType: string, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Status and text of a failed request. */
export function failureOf(error: unknown): { readonly code: number; readonly text: string } {
  if (error instanceof KubeletError) return { code: error.code, text: error.message };
  if (isRuntimeError(error, 'NotFound')) return { code: 404, text: error.message };
  if (isRuntimeError(error, 'ResourceExhausted')) return { code: 429, text: error.message };
  return { code: 500, text: error instanceof Error ? error.message : String(error) };
}
