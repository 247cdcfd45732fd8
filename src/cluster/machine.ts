import { hostname, networkInterfaces } from 'node:os';

/** This host's name as a node's: lower case, what DNS allows. */
export function hostNodeName(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name || 'node';
}

/** The first IPv4 address that others can reach; loopback on a host without a network. */
export function hostAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (family === 'IPv4' && !internal && !address.startsWith('169.254.')) return address;
    }
  }
  return '127.0.0.1';
}
