import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../apimachinery/logger.ts';
import { runProgram } from '../apimachinery/run-program.ts';
import { findContainerd } from '../kubelet/runtime/containerd/containerd.ts';
import { createContainerdRuntime } from '../kubelet/runtime/containerd/containerd-runtime.ts';
import { overlayDevice } from './components/pod-network.ts';
import { nodeDataDirs } from './image-load.ts';
import { instanceId } from './node-site.ts';
import { isRunning, readRunState, removeRunState } from './run-state.ts';

/** A clean stop ends pods with their grace periods; after this it is killed. */
const STOP_TIMEOUT_MS = 120_000;

/** Stops a cluster, and cleans up what a killed one left. `cleaned` names what that was. */
export async function takeDown(
  dataDir: string,
  { purge }: { purge: boolean },
): Promise<{ stoppedPid: number | undefined; cleaned: string[] }> {
  const state = readRunState(dataDir);
  let stoppedPid: number | undefined;
  if (state && isRunning(state)) {
    stoppedPid = state.pid;
    process.kill(state.pid, 'SIGTERM');
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (isRunning(state) && Date.now() < deadline) await sleep(50);
    if (isRunning(state)) process.kill(state.pid, 'SIGKILL');
  }
  const cleaned: string[] = [];
  for (const dir of nodeDataDirs(dataDir)) {
    cleaned.push(...(await stopContainers(dir)));
    if (process.platform === 'linux' && process.getuid?.() === 0)
      cleaned.push(...(await removeNetwork(dir)), ...(await unmountBelow(dir)));
  }
  removeRunState(dataDir);
  if (purge) await rm(dataDir, { recursive: true, force: true });
  return { stoppedPid, cleaned };
}

async function stopContainers(dir: string): Promise<string[]> {
  const containerd = await findContainerd(dir);
  if (!containerd) return [];
  const runtime = await createContainerdRuntime({
    endpoint: containerd.endpoint,
    logger: silentLogger,
    pauseImage: false,
  });
  const sandboxes = await runtime.sandboxes.list();
  await Promise.all(
    sandboxes.map(async ({ id }) => {
      await runtime.sandboxes.stop(id);
      await runtime.sandboxes.remove(id);
    }),
  );
  await runtime.close();
  await containerd.stop();
  return [`containerd (${containerd.pid})`, ...(sandboxes.length ? [`${sandboxes.length} pods`] : [])];
}

async function removeNetwork(dir: string): Promise<string[]> {
  const id = instanceId(dir);
  const removed: string[] = [];
  for (const table of [`k8ts-net-${id}`, `k8ts-ports-${id}`, `k8ts-proxy-${id}`]) {
    await runProgram('nft', ['delete', 'table', 'ip', table]).then(
      () => removed.push(`nftables table ${table}`),
      () => undefined, // there is none
    );
  }
  for (const link of [`k8ts-${id}`, overlayDevice(id)]) {
    await runProgram('ip', ['link', 'delete', link]).then(
      () => removed.push(`interface ${link}`),
      () => undefined,
    );
  }
  return removed;
}

/** Volumes of pods that were running; the deepest first. */
async function unmountBelow(dir: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const targets = table
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((target) => target.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);
  for (const target of targets) await runProgram('umount', ['-l', target]).catch(() => undefined);
  return targets.length ? [`${targets.length} mounts`] : [];
}
