import type { Container, Pod, Probe } from '../../api/types/core.v1.gen.ts';
import { expandVariables } from '../containers/expansion.ts';
import type { Containers } from '../runtime/container-runtime.ts';
import { isRuntimeError } from '../runtime/runtime-error.ts';
import { httpGet, httpTarget } from './http-check.ts';
import { tcpCheck } from './tcp-check.ts';

export interface ProbeOutcome {
  readonly result: 'success' | 'warning' | 'failure';
  readonly output: string;
}

const AGENT = 'kube-probe/1.36';
const MAX_OUTPUT = 10 * 1024;

/** Runs one probe once. Rejects when it could not be run; that counts as a failure, told as an error. */
export async function runProbe(
  containers: Containers,
  pod: Pod,
  container: Container,
  probe: Probe,
  containerId: string,
  podIP: string,
): Promise<ProbeOutcome> {
  const timeoutSeconds = probe.timeoutSeconds ?? 1;
  const timeoutMs = timeoutSeconds * 1000;
  if (probe.exec)
    return await execCheck(containers, containerId, expandCommand(probe.exec.command ?? [], container), timeoutSeconds);
  if (probe.httpGet) {
    const port = resolvePort(probe.httpGet.port, container);
    const target = httpTarget(probe.httpGet, hostFor(pod, podIP), port, AGENT);
    try {
      const answer = await httpGet(target, timeoutMs);
      if (answer.redirectedAway)
        return { result: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
      if (answer.status >= 200 && answer.status < 400) return { result: 'success', output: answer.body };
      return { result: 'failure', output: `HTTP probe failed with statuscode: ${answer.status}` };
    } catch (error) {
      return { result: 'failure', output: (error as Error).message };
    }
  }
  if (probe.tcpSocket) {
    const why = await tcpCheck(
      probe.tcpSocket.host || hostFor(pod, podIP),
      resolvePort(probe.tcpSocket.port, container),
      timeoutMs,
    );
    return why === undefined ? { result: 'success', output: '' } : { result: 'failure', output: why };
  }
  if (probe.grpc) {
    const { grpcHealthCheck } = await import('./grpc-check.ts');
    const host = hostFor(pod, podIP);
    const address = `${host.includes(':') ? `[${host}]` : host}:${probe.grpc.port}`;
    const why = await grpcHealthCheck(address, probe.grpc.service ?? '', timeoutMs);
    return why === undefined ? { result: 'success', output: 'service healthy' } : { result: 'failure', output: why };
  }
  throw new Error(`missing probe handler for ${pod.metadata.namespace}/${pod.metadata.name}:${container.name}`);
}

const hostFor = (pod: Pod, podIP: string) => podIP || (pod.spec.hostNetwork ? '127.0.0.1' : '');

async function execCheck(
  containers: Containers,
  id: string,
  command: readonly string[],
  timeoutSeconds: number,
): Promise<ProbeOutcome> {
  try {
    const { stdout, stderr, exitCode } = await containers.execSync(id, command, timeoutSeconds);
    const output = Buffer.concat([stdout, stderr]).toString().slice(0, MAX_OUTPUT);
    return { result: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (isRuntimeError(error, 'DeadlineExceeded')) {
      const quoted = command.join(' ');
      return {
        result: 'failure',
        output: `command timed out: ${JSON.stringify(quoted)} timed out after ${timeoutSeconds}s`,
      };
    }
    throw error;
  }
}

/** A number, or the name of one of the container's ports. */
export function resolvePort(port: number | string, container: Container): number {
  const value =
    typeof port === 'number'
      ? port
      : (container.ports?.find(({ name }) => name === port)?.containerPort ?? Number.parseInt(port, 10));
  if (Number.isInteger(value) && value > 0 && value < 65536) return value;
  throw new Error(
    typeof port === 'string'
      ? `couldn't find port: "${port}" in container ${container.name}`
      : `invalid port number: ${port}`,
  );
}

/** Probe commands see the container's plain variables. */
function expandCommand(command: readonly string[], container: Container): string[] {
  const values = new Map(
    (container.env ?? []).filter(({ value }) => value !== undefined).map(({ name, value = '' }) => [name, value]),
  );
  return command.map((word) => expandVariables(word, (name) => values.get(name)));
}
