import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';

const BINARY = '/usr/bin/etcd';

/** Why no etcd can be started here; undefined when one can. */
export function etcdMissing(): string | undefined {
  return existsSync(BINARY) ? undefined : `${BINARY} is not installed (Debian's etcd-server)`;
}

export interface EtcdServer {
  readonly endpoint: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** With the same data and addresses. */
  start(): Promise<void>;
}

/** A throw-away etcd member in `dir`; it does not sync to the disk. */
export async function startEtcd(dir: string): Promise<EtcdServer> {
  const [client, peer] = await Promise.all([freePort(), freePort()]);
  const endpoint = `http://127.0.0.1:${client}`;
  let child: ChildProcess | undefined;
  const kill = async () => {
    const exited = new Promise((resolve) => child?.once('exit', resolve));
    if (child?.exitCode === null && child.kill('SIGKILL')) await exited;
  };
  const start = async () => {
    const peerUrl = `http://127.0.0.1:${peer}`;
    child = spawn(
      BINARY,
      [
        ...['--data-dir', dir, '--name', 'default', '--log-outputs', 'stderr', '--logger', 'zap'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`, '--unsafe-no-fsync'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    await new Promise<void>((resolve, reject) => {
      child?.stderr?.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-20_000);
        if (log.includes('serving client traffic')) resolve();
      });
      child?.once('exit', (code) => reject(new Error(`etcd exited with ${code}: ${log}`)));
    });
  };
  await start();
  return { endpoint, start, kill };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
