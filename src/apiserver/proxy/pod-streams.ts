import type { KindDefinition } from '../../api/kind.ts';
import { badRequest, methodNotAllowed } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { headerOf } from '../request/request-context.ts';
import { isTrue } from '../request/request-info.ts';
import type { Result } from '../request/result.ts';
import { admitConnection, requireCreate } from './connect-admission.ts';
import { unknownError } from './dial-error.ts';
import { forwardUpgrade } from './forward-upgrade.ts';
import { kubeletOf } from './kubelet-endpoint.ts';
import { containerOf, podOf } from './pod-container.ts';
import type { ProxyServices } from './proxy-services.ts';

/** `/pods/NAME/exec`: a command in a container. */
export async function podExec(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const { query } = context;
  const given = { ...streamOptions(query), command: query.getAll('command') };
  const { pod, options } = await begin(proxy, context, definition, 'PodExecOptions', given);
  const { command } = options;
  const container = containerOf(pod, options.container);
  if (command.length === 0) throw badRequest('you must specify a command');
  return connect(
    proxy,
    pod,
    `/exec/${context.info.namespace}/${context.info.name}/${container}`,
    kubeletQuery(options, command),
  );
}

/** `/pods/NAME/attach`: the streams of a container's own process. */
export async function podAttach(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const given = streamOptions(context.query);
  const { pod, options } = await begin(proxy, context, definition, 'PodAttachOptions', given);
  const container = containerOf(pod, options.container);
  return connect(
    proxy,
    pod,
    `/attach/${context.info.namespace}/${context.info.name}/${container}`,
    kubeletQuery(options, []),
  );
}

/** `/pods/NAME/portforward`: connections to ports inside the pod. */
export async function podPortForward(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const ports = context.query.getAll('ports').flatMap((list) => list.split(','));
  const given = ports.length ? { ports: ports.map(Number) } : {};
  const { pod } = await begin(proxy, context, definition, 'PodPortForwardOptions', given);
  const query = new URLSearchParams(ports.map((port): [string, string] => ['port', port]));
  return connect(proxy, pod, `/portForward/${context.info.namespace}/${context.info.name}`, query);
}

interface StreamQuery {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  readonly container: string;
}

/** Output is on unless it is turned off. */
function streamOptions(query: URLSearchParams): StreamQuery {
  const flag = (name: string, otherwise: boolean) => {
    const value = query.get(name);
    return value === null ? otherwise : isTrue(value);
  };
  return {
    stdin: flag('stdin', false),
    stdout: flag('stdout', true),
    stderr: flag('stderr', true),
    tty: flag('tty', false),
    container: query.get('container') ?? '',
  };
}

/** In the kubelet's words. */
function kubeletQuery({ stdin, stdout, stderr, tty }: StreamQuery, command: readonly string[]): URLSearchParams {
  const query = new URLSearchParams();
  if (stdin) query.set('input', '1');
  if (stdout) query.set('output', '1');
  if (stderr) query.set('error', '1');
  if (tty) query.set('tty', '1');
  for (const part of command) query.append('command', part);
  return query;
}

async function begin<T extends object>(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
  kind: string,
  given: T,
) {
  const { verb, namespace, name } = context.info;
  if (verb !== 'get' && verb !== 'create') throw methodNotAllowed();
  if (verb === 'get' && /websocket/i.test(headerOf(context.headers, 'upgrade') ?? ''))
    await requireCreate(proxy.services, context);
  const pod = await podOf(proxy.reader, namespace, name);
  return { pod, options: await admitConnection(proxy.services, context, definition, kind, given) };
}

async function connect(
  proxy: ProxyServices,
  pod: Awaited<ReturnType<typeof podOf>>,
  path: string,
  query: URLSearchParams,
): Promise<Result> {
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const backend = await kubeletOf(proxy.reader, pod.spec.nodeName, proxy.kubelet());
  const text = query.toString();
  const target = text ? `${path}?${text}` : path;
  return {
    type: 'takeOver',
    run: (exchange) =>
      forwardUpgrade(exchange, backend, target, (why) => unknownError(`error dialing backend: ${why}`)),
  };
}
