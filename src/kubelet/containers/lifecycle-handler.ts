import { setTimeout as delay } from 'node:timers/promises';
import type { Container, LifecycleHandler, Pod } from '../../api/types/core.v1.gen.ts';
import { httpGet, httpTarget } from '../probes/http-check.ts';
import { resolvePort } from '../probes/prober.ts';
import type { Containers } from '../runtime/container-runtime.ts';

const AGENT = 'kube-lifecycle/1.36';
const HTTP_TIMEOUT_MS = 60_000;

/** Runs a postStart or preStop handler. Rejects with an Error that says why it failed. */
export async function runLifecycleHandler(
  containers: Containers,
  pod: Pod,
  container: Container,
  handler: LifecycleHandler,
  id: string,
  podIP: string,
  signal: AbortSignal,
): Promise<void> {
  if (handler.exec) {
    const { command = [] } = handler.exec;
    const { exitCode, stdout, stderr } = await containers.execSync(id, command, 0);
    if (exitCode !== 0) {
      const output = Buffer.concat([stdout, stderr]).toString().slice(0, 1024);
      throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${output}`);
    }
  } else if (handler.httpGet && containers.answerHandler) {
    const failure = await containers.answerHandler(id, 'lifecycle');
    if (failure !== undefined) throw new Error(failure);
  } else if (handler.httpGet) {
    const port =
      handler.httpGet.port === undefined || handler.httpGet.port === ''
        ? 80
        : resolvePort(handler.httpGet.port, container);
    const answer = await httpGet(httpTarget(handler.httpGet, podIP, port, AGENT), HTTP_TIMEOUT_MS);
    if (answer.status >= 400) throw new Error(`${answer.url} answered with status ${answer.status}`);
  } else if (handler.sleep) {
    await delay(handler.sleep.seconds * 1000, undefined, { signal });
  } else {
    throw new Error(`invalid handler: pod ${pod.metadata.namespace}/${pod.metadata.name}, container ${container.name}`);
  }
}
