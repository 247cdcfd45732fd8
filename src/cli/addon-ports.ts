import type { Command } from 'commander';
import type { ClusterOptions } from '../cluster/options.ts';
import { parsePort } from './option-values.ts';

/** Of the add-ons that people reach from outside. */
export interface AddonPortFlags {
  readonly ingressPorts?: { readonly http: number; readonly https: number };
  readonly dashboardPort?: number;
}

export function addonPortOptions(command: Command): Command {
  return command
    .option(
      '--ingress-ports <http,https>',
      'ports of the ingress controller (default: 80,443, or free ones if those are taken)',
      parsePortPair,
    )
    .option(
      '--dashboard-port <port>',
      'port of the dashboard (default: 8443, or a free one if that is taken)',
      parsePort,
    );
}

export function addonPorts(
  flags: AddonPortFlags,
): Pick<ClusterOptions, 'ingressPorts' | 'dashboardPort' | 'preferredPorts'> {
  return {
    ingressPorts: flags.ingressPorts ?? { http: 80, https: 443 },
    dashboardPort: flags.dashboardPort ?? 8443,
    // Ports that nobody asked for need not be those: several clusters run side by side.
    preferredPorts: [
      ...(flags.ingressPorts ? [] : (['ingress'] as const)),
      ...(flags.dashboardPort === undefined ? (['dashboard'] as const) : []),
    ],
  };
}

function parsePortPair(text: string): { http: number; https: number } {
  const [http, https, ...rest] = text.split(',');
  if (http === undefined || https === undefined || rest.length) return { http: parsePort(text), https: 0 };
  return { http: parsePort(http), https: parsePort(https) };
}
