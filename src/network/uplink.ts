import { runProgram } from '../apimachinery/run-program.ts';

const DEFAULT_MTU = 1500;

interface LinkAddresses {
  readonly mtu?: number;
  readonly addr_info?: readonly { readonly local?: string }[];
}

/** The largest packet, in bytes, that leaves by the interface with this address; 1500 when none has it. */
export async function uplinkMtu(address: string): Promise<number> {
  const links = JSON.parse(await runProgram('ip', ['-json', 'address', 'show'])) as readonly LinkAddresses[];
  return links.find((link) => link.addr_info?.some(({ local }) => local === address))?.mtu ?? DEFAULT_MTU;
}
