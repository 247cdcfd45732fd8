import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { clusterDown, clusterUp, k8ts, noContainers, program } from '../../support/k8ts.ts';
import { type RunOptions, runCommand } from '../../support/kubectl.ts';
import { tracesOf } from '../../support/traces.ts';

const noRoot = noContainers();
const root = noRoot ? it.skip : it;
const NOBODY = 65534;
const folder = mkdtempSync(join(tmpdir(), 'k8ts-failures-'));
const cleanups: (() => unknown)[] = [];
let count = 0;

/** A directory of the test's own; nothing may run with it when the test ends. */
const newDataDir = () => join(folder, `data-${++count}`);

interface Failing {
  readonly args: readonly string[];
  readonly options?: RunOptions;
  /** What `error:` begins with: the component, or what else is at fault. */
  readonly says: RegExp;
  readonly code: string;
  readonly remedy: RegExp;
  readonly simulated?: boolean;
  readonly ports?: boolean;
  /** What the first boot wrote is deleted before the second. */
  readonly fresh?: boolean;
}

/** Boots in the foreground and detached; both must fail with the same words, exit code 1 and nothing left. */
async function fails(dataDir: string, { args, options = {}, says, code, remedy, ...how }: Failing): Promise<void> {
  const common = ['--data-dir', dataDir, ...(how.simulated === false ? [] : ['--runtime', 'simulated'])];
  const ports = how.ports === false ? [] : ['--api-port', '0', '--dashboard-port', '0', '--ingress-ports', '0,0'];
  const words: string[] = [];
  for (const detach of [[], ['--detach']]) {
    const result = await k8ts(['up', ...detach, ...common, ...ports, ...args], options);
    const lines = result.stderr.trimEnd().split('\n');
    const [error = '', help = ''] = lines.slice(-2);
    expect(error, result.stderr).toMatch(new RegExp(`^error: ${says.source}.* \\[${code}\\]$`));
    expect(help).toMatch(remedy);
    expect(result.stdout).toBe('');
    expect(result.stderr).not.toMatch(/^ +at /m);
    expect(result.code).toBe(1);
    expect(tracesOf(dataDir)).toEqual([]);
    words.push(`${error}\n${help}`);
    if (how.fresh) rmSync(dataDir, { recursive: true, force: true });
  }
  expect(words[1]).toBe(words[0]);
}

/** A port that another program listens on. */
async function takenPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as { port: number }).port;
}

/** A folder with a program of that name, to be first in PATH. */
function fakeProgram(name: string, script: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
  return bin;
}

const withPath = (...folders: string[]) => ({ env: { ...process.env, PATH: folders.join(delimiter) } });

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('data-')))
    await k8ts(['down', '--purge', '--data-dir', join(folder, name)]);
  rmSync(folder, { recursive: true, force: true });
});

describe('a boot that fails names the component, the cause and the remedy, and leaves nothing running', () => {
  it('API port taken', async () => {
    const port = await takenPort();
    await fails(newDataDir(), {
      args: ['--api-port', `${port}`],
      says: new RegExp(`apiserver: port ${port} is taken by another program`),
      code: 'PORT_IN_USE',
      remedy: /--api-port/,
    });
  });

  it('dashboard port taken', async () => {
    const port = await takenPort();
    await fails(newDataDir(), {
      args: ['--dashboard-port', `${port}`],
      says: new RegExp(`dashboard: port ${port} is taken by another program`),
      code: 'PORT_IN_USE',
      remedy: /--dashboard-port.*--disable dashboard/,
    });
  });

  root('ingress port taken', async () => {
    const port = await takenPort();
    await fails(newDataDir(), {
      args: ['--ingress-ports', `${port},0`],
      simulated: false,
      says: new RegExp(`ingress: port ${port} is taken by another program`),
      code: 'PORT_IN_USE',
      remedy: /--ingress-ports HTTP,HTTPS.*--disable ingress/,
    });
  });

  it('a file in the way of the data directory', async () => {
    const dataDir = newDataDir();
    writeFileSync(dataDir, 'mine');
    for (const [dir, file] of [
      [dataDir, dataDir],
      [join(dataDir, 'below'), dataDir],
    ] as const)
      await fails(dir, {
        args: [],
        says: new RegExp(`the data directory ${dir} can't be made: a file is in its way`),
        code: 'DATA_DIR_NOT_WRITABLE',
        remedy: /--data-dir/,
      }).finally(() => expect(existsSync(file)).toBe(true));
    rmSync(dataDir);
  });

  root('a data directory that the user may not write', async () => {
    chmodSync(folder, 0o755);
    const dataDir = newDataDir();
    mkdirSync(dataDir, { mode: 0o755 });
    const who = { uid: NOBODY, env: { PATH: process.env.PATH, HOME: '/nonexistent' } };
    for (const dir of [dataDir, join(dataDir, 'below')])
      await fails(dir, {
        args: [],
        options: who,
        says: new RegExp(`the data directory ${dir} can't be written \\(EACCES\\)`),
        code: 'DATA_DIR_NOT_WRITABLE',
        remedy: /--data-dir.*user who may write it/,
      });
  });

  root('containerd missing', async () => {
    const bin = mkdtempSync(join(folder, 'bin-'));
    symlinkSync(process.execPath, join(bin, 'node'));
    await fails(newDataDir(), {
      args: [],
      simulated: false,
      options: withPath(bin),
      says: /not on this machine: containerd/,
      code: 'PACKAGES_MISSING',
      remedy: /apt-get install containerd.*--install-missing.*--runtime simulated/,
    });
  });

  root('containerd broken', async () => {
    const bin = fakeProgram('containerd', 'echo "containerd: out of cheese" >&2; exit 1');
    await fails(newDataDir(), {
      args: [],
      simulated: false,
      options: withPath(bin, process.env.PATH!),
      says: /container-runtime: containerd ended while it started: containerd: out of cheese/,
      code: 'CONTAINERD_FAILED',
      remedy: /containerd\.log/,
    });
  });

  root('an existing container runtime that is not there', async () => {
    await fails(newDataDir(), {
      args: ['--container-runtime-endpoint', 'unix:///run/nothing-here.sock'],
      simulated: false,
      says: /container-runtime: the container runtime at unix:\/\/\/run\/nothing-here\.sock does not answer as CRI v1/,
      code: 'RUNTIME_NOT_REACHABLE',
      remedy: /Check the path of the socket/,
    });
  });

  root('no permission for nftables', async () => {
    const dataDir = newDataDir();
    const args = ['--data-dir', dataDir, '--api-port', '0', '--dashboard-port', '0', '--ingress-ports', '0,0'];
    for (const detach of [[], ['--detach']]) {
      const result = await runCommand('setpriv', [
        '--bounding-set=-net_admin',
        '--inh-caps=-net_admin',
        process.execPath,
        program,
        'up',
        ...detach,
        ...args,
      ]);
      expect(result.stderr).toMatch(
        /error: (kube-proxy|pod-network): the kernel refused .*Operation not permitted.* \[NFTABLES_REFUSED\]\n +Run as root with CAP_NET_ADMIN/s,
      );
      expect(result.code).toBe(1);
      expect(tracesOf(dataDir)).toEqual([]);
    }
  });

  root('nft that fails', async () => {
    const bin = fakeProgram('nft', 'echo "netlink: Error: cache initialization failed" >&2; exit 1');
    await fails(newDataDir(), {
      args: [],
      simulated: false,
      options: withPath(bin, process.env.PATH!),
      says: /(?:kube-proxy|pod-network): the kernel refused .*cache initialization failed/,
      code: 'NFTABLES_REFUSED',
      remedy: /CAP_NET_ADMIN/,
    });
  });

  it('a datastore and keys that are damaged', async () => {
    const dataDir = newDataDir();
    await clusterUp(dataDir, ['--runtime', 'simulated', '--nodes', '0']);
    await k8ts(['down', '--data-dir', dataDir]);
    const damage = async (file: string, failing: Omit<Failing, 'args'>) => {
      const path = join(dataDir, file);
      const copy = join(folder, 'copy');
      execFileSync('cp', [path, copy]);
      writeFileSync(path, 'garbage '.repeat(1000));
      await fails(dataDir, { args: ['--nodes', '0'], ...failing });
      execFileSync('cp', [copy, path]);
    };
    await damage('datastore/data.mdb', {
      says: /datastore: the datastore .*data\.mdb is damaged: /,
      code: 'DATASTORE_CORRUPT',
      remedy: /Restore it from a backup, or move it away/,
    });
    for (const file of ['ca.key', 'ca.crt', 'sa.key'])
      await damage(`pki/${file}`, {
        says: new RegExp(`pki: .*${file === 'sa.key' ? 'sa.key' : 'ca\\.(?:key|crt)'} can't be used: `),
        code: 'PKI_UNREADABLE',
        remedy: /Restore the file from a backup/,
      });
    // What was damaged is whole again: the cluster is too.
    await clusterUp(dataDir, ['--runtime', 'simulated', '--nodes', '0']);
    await clusterDown(dataDir);
  });

  root('a full disk', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    cleanups.push(() => execFileSync('umount', ['-l', disk]));
    const full = { args: [], code: '(?:DATASTORE_)?DISK_FULL', remedy: /Free space/ };
    // No room for anything, for the first files, for the keys but not the datastore.
    for (const [n, free] of [0, 40, 120].entries()) {
      writeFileSync(join(disk, 'ballast'), Buffer.alloc((1024 - free) * 1024));
      const dataDir = join(disk, `data-${n}`);
      await fails(dataDir, { ...full, says: /(?:(?:pki|datastore|apiserver): |no space is left).*/, fresh: true });
      rmSync(join(disk, 'ballast'));
    }
  });

  it('status tells of the failed boot, and the next up of a healthy one', async () => {
    const dataDir = newDataDir();
    const port = await takenPort();
    await k8ts(['up', '--runtime', 'simulated', '--data-dir', dataDir, '--api-port', `${port}`]);
    const status = await k8ts(['status', '--data-dir', dataDir]);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/✘ 1 control plane/);
    expect(status.stdout).toMatch(/✘ apiserver .* is taken by another program/);
    expect(status.stderr).toContain('[PORT_IN_USE]');
    await clusterUp(dataDir, ['--runtime', 'simulated', '--nodes', '0']);
    expect((await k8ts(['status', '--data-dir', dataDir])).code).toBe(0);
    await clusterDown(dataDir);
  });
});
