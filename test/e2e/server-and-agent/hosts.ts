import { type CommandResult, type RunOptions, runCommand } from '../../support/kubectl.ts';

/**
 * Hosts on one Ethernet, as network namespaces: mounts, cgroups and processes are this machine's. The Ethernet is in a namespace
 * too, that of `outside`, which is every host's way out; this machine's own network is left alone.
 */
export class Hosts {
  readonly #prefix: string;
  readonly #names: readonly string[];

  private constructor(prefix: string, names: readonly string[]) {
    this.#prefix = prefix;
    this.#names = names;
  }

  static async make(names: readonly string[]): Promise<Hosts> {
    const hosts = new Hosts(`k8ts-e2e-${process.pid}`, names);
    const outside = hosts.#namespace('outside');
    await ip(`netns add ${outside}`);
    await ip(`-n ${outside} link set lo up`);
    await ip(`-n ${outside} link add ether type bridge`);
    await ip(`-n ${outside} address add ${hosts.address('outside')}/24 dev ether`);
    await ip(`-n ${outside} link set ether up`);
    for (const name of names) {
      const namespace = hosts.#namespace(name);
      await ip(`netns add ${namespace}`);
      await ip(`-n ${namespace} link set lo up`);
      await ip(`-n ${namespace} link add eth0 type veth peer name ${name} netns ${outside}`);
      await ip(`-n ${outside} link set ${name} master ether up`);
      await ip(`-n ${namespace} address add ${hosts.address(name)}/24 dev eth0`);
      await ip(`-n ${namespace} link set eth0 up`);
      await ip(`-n ${namespace} route add default via ${hosts.address('outside')}`);
    }
    return hosts;
  }

  address(name: string): string {
    return name === 'outside' ? '10.123.7.254' : `10.123.7.${this.#names.indexOf(name) + 1}`;
  }

  /** A program on a host. `ip netns exec` would hide the machine's cgroups. */
  run(name: string, command: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return runCommand('nsenter', [`--net=/run/netns/${this.#namespace(name)}`, ...command], options);
  }

  async remove(): Promise<void> {
    for (const name of [...this.#names, 'outside']) await runCommand('ip', ['netns', 'delete', this.#namespace(name)]);
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

async function ip(args: string): Promise<void> {
  const result = await runCommand('ip', args.split(' '));
  if (result.code !== 0) throw new Error(`ip ${args}: ${result.stderr}`);
}
