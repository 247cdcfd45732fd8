import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CodedError } from '../../../apimachinery/coded-error.ts';
import type { Logger } from '../../../apimachinery/logger.ts';
import { PAUSE_IMAGE } from '../pause/pause-image.ts';
import { apparmorAvailable, containerdToml } from './containerd-config.ts';
import { chooseSnapshotter } from './snapshotter.ts';

/** The longest path a unix socket may have, less what containerd appends. */
const MAX_SOCKET_PATH = 96;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 2_000;

export interface ContainerdOptions {
  /** Everything of it is below `<dataDir>/containerd`. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Where the network plugin writes its CNI configuration; `<dataDir>/cni/net.d` when absent. */
  readonly cniConfDir?: string;
  /** `/usr/lib/cni`, or `/opt/cni/bin` if only that is there, when absent. */
  readonly cniBinDir?: string;
  readonly signal?: AbortSignal;
}

/** A containerd of this cluster's own. It outlives this process: the next start adopts it, or starts it anew around its pods. */
export interface Containerd {
  /** `unix:///...` */
  readonly endpoint: string;
  readonly pid: number;
  /** Whether it ran already. */
  readonly adopted: boolean;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** Of hosts.toml directories, one per registry. */
  readonly certsDir: string;
  /** Ends containerd. Pods go on without it. */
  stop(): Promise<void>;
}

/** Throws CodedError when containerd or runc is missing, or it does not come up. */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { dataDir, logger, signal } = options;
  const home = join(dataDir, 'containerd');
  const state = stateDir(home);
  const socket = join(state, 'containerd.sock');
  const root = join(home, 'root');
  const pidFile = join(home, 'containerd.pid');
  const cniConfDir = options.cniConfDir ?? join(dataDir, 'cni', 'net.d');
  const certsDir = join(home, 'certs.d');
  const [binary, cniBinDir] = await Promise.all([
    findBinary('containerd'),
    options.cniBinDir ?? findCniBinDir(),
    findBinary('runc'),
  ]);
  await mkdir(home, { recursive: true, mode: 0o711 });
  await Promise.all([root, state, cniConfDir, certsDir].map((path) => mkdir(path, { recursive: true })));

  const configFile = join(home, 'config.toml');
  const old = await readFile(configFile, 'utf8').catch(() => '');
  const known = /^ {4}snapshotter = "(overlayfs|native)"$/m.exec(old)?.[1] as 'overlayfs' | 'native' | undefined;
  // A changed snapshotter would hide the images there are, so the first choice stays.
  const snapshotter = known ?? (await chooseSnapshotter(root));
  const config = containerdToml({
    root,
    state,
    socket,
    cniConfDir,
    cniBinDir,
    certsDir,
    sandboxImage: PAUSE_IMAGE,
    snapshotter,
    apparmor: apparmorAvailable(),
  });

  const result = (pid: number, adopted: boolean): Containerd => ({
    endpoint: `unix://${socket}`,
    pid,
    adopted,
    cniConfDir,
    cniBinDir,
    certsDir,
    stop: () => stopProcess(pid, configFile, pidFile),
  });

  const running = await runningPid(pidFile, configFile);
  if (running !== undefined) {
    if (old === config && (await answers(socket))) {
      logger.info({ pid: running }, 'adopted the running containerd');
      return result(running, true);
    }
    await stopProcess(running, configFile, pidFile);
  }
  await writeFile(configFile, config, { mode: 0o600 });
  const pid = await spawnDetached(binary, configFile, join(home, 'containerd.log'));
  await writeFile(pidFile, `${pid}\n`, { mode: 0o600 });
  try {
    await whenListening(socket, pid, home, signal);
  } catch (error) {
    await stopProcess(pid, configFile, pidFile);
    throw error;
  }
  logger.info({ pid, snapshotter }, 'containerd started');
  return result(pid, false);
}

/** The pid of the containerd that `dataDir` owns, if it runs: for `k8ts down` after a crash. */
export async function findContainerd(
  dataDir: string,
): Promise<{ pid: number; endpoint: string; stop(): Promise<void> } | undefined> {
  const home = join(dataDir, 'containerd');
  const configFile = join(home, 'config.toml');
  const pidFile = join(home, 'containerd.pid');
  const pid = await runningPid(pidFile, configFile);
  if (pid === undefined) return undefined;
  const endpoint = `unix://${join(stateDir(home), 'containerd.sock')}`;
  return { pid, endpoint, stop: () => stopProcess(pid, configFile, pidFile) };
}

/** Where containerd keeps what a running one needs: may be outside of `dataDir`. */
export function containerdStateDir(dataDir: string): string {
  return stateDir(join(dataDir, 'containerd'));
}

/** Beside the root, but in /run when the socket's path would be too long for a unix socket. */
function stateDir(home: string): string {
  const state = join(home, 'state');
  if (state.length + '/containerd.sock.ttrpc'.length <= MAX_SOCKET_PATH) return state;
  return join('/run/k8ts', createHash('sha256').update(home).digest('hex').slice(0, 16));
}

async function findBinary(name: string): Promise<string> {
  for (const directory of [
    ...(process.env.PATH ?? '').split(':'),
    '/usr/local/bin',
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/sbin',
  ]) {
    if (directory === '') continue;
    const path = join(directory, name);
    if (await isExecutable(path)) return path;
  }
  throw new CodedError(
    'CONTAINERD_MISSING',
    `${name} is not installed on this machine`,
    'Install it (Debian, Ubuntu: apt-get install containerd runc containernetworking-plugins), or use --runtime simulated.',
  );
}

async function findCniBinDir(): Promise<string> {
  for (const directory of ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'])
    if (await isExecutable(join(directory, 'loopback'))) return directory;
  throw new CodedError(
    'CNI_PLUGINS_MISSING',
    'the CNI plugins are not installed on this machine',
    'Install them (Debian, Ubuntu: apt-get install containernetworking-plugins), or use --runtime simulated.',
  );
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function spawnDetached(binary: string, configFile: string, logFile: string): Promise<number> {
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(binary, ['--config', configFile], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid as number));
    });
    child.unref();
    return pid;
  } finally {
    await log.close();
  }
}

async function whenListening(
  socket: string,
  pid: number,
  home: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(socket))) {
    signal?.throwIfAborted();
    if (!isAlive(pid) || Date.now() > deadline) {
      const why = await lastErrorLine(join(home, 'containerd.log'));
      throw new CodedError(
        'CONTAINERD_FAILED',
        `containerd ${isAlive(pid) ? 'did not listen in time' : 'ended while it started'}${why ? `: ${why}` : ''}`,
        `See ${join(home, 'containerd.log')}.`,
      );
    }
    await delay(10);
  }
}

async function lastErrorLine(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n');
  const last = lines.findLast((line) => /level=(fatal|error)|^containerd:/.test(line)) ?? '';
  return /msg="((?:[^"\\]|\\.)*)"/.exec(last)?.[1] ?? last;
}

/** Whether a gRPC server speaks: the kernel accepts connections also for a process that is being killed. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect('http://localhost', { createConnection: () => createConnection(socket) });
    const settle = (result: boolean) => {
      resolve(result);
      session.destroy();
    };
    session.setTimeout(ANSWER_TIMEOUT_MS, () => settle(false));
    session.once('remoteSettings', () => settle(true));
    session.once('error', () => settle(false));
    session.once('close', () => settle(false));
  });
}

/** The pid in the file, if that process is a containerd with our configuration and not another that took its number. */
async function runningPid(pidFile: string, configFile: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!(pid > 1)) return undefined;
  return (await runsWith(pid, configFile)) ? pid : undefined;
}

async function runsWith(pid: number, configFile: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0').includes(configFile);
}

/** A zombie counts as ended: as a child of ours it stays one until it is collected. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Does nothing if another containerd took over meanwhile. */
async function stopProcess(pid: number, configFile: string, pidFile: string): Promise<void> {
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  let signal: NodeJS.Signals = 'SIGTERM';
  if ((await runningPid(pidFile, configFile)) !== pid) return;
  while (await runsWith(pid, configFile)) {
    try {
      process.kill(pid, signal);
    } catch {
      break;
    }
    await delay(20);
    if (Date.now() > deadline) signal = 'SIGKILL';
  }
  await rm(pidFile, { force: true });
}
