import type { Service } from '../../api/types/core.v1.gen.ts';

/** The variables that tell a container where a Service is: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, and Docker's links. */
export function* serviceEnvironment(service: Service): Iterable<readonly [string, string]> {
  const { clusterIP, ports = [] } = service.spec;
  if (!clusterIP || clusterIP === 'None') return;
  const prefix = variableName(service.metadata.name);
  const first = ports[0];
  if (!first) return;
  yield [`${prefix}_SERVICE_HOST`, clusterIP];
  yield [`${prefix}_SERVICE_PORT`, String(first.port)];
  for (const port of ports)
    if (port.name) yield [`${prefix}_SERVICE_PORT_${variableName(port.name)}`, String(port.port)];
  const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
  for (const [i, port] of ports.entries()) {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${host}:${port.port}`;
    if (i === 0) yield [`${prefix}_PORT`, url];
    const link = `${prefix}_PORT_${port.port}_${protocol}`;
    yield [link, url];
    yield [`${link}_PROTO`, protocol.toLowerCase()];
    yield [`${link}_PORT`, String(port.port)];
    yield [`${link}_ADDR`, clusterIP];
  }
}

const variableName = (name: string) => name.toUpperCase().replaceAll('-', '_');
