import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../apimachinery/coded-error.ts';
import { silentLogger } from '../apimachinery/logger.ts';
import { runProgram } from '../apimachinery/run-program.ts';
import { removeCgroupsNamed } from '../kubelet/cgroups/remove-cgroups.ts';
import { cgroupRoot, kubeletInstance } from '../kubelet/kubelet-instance.ts';
import { containerdStateDir, findContainerd, startContainerd } from '../kubelet/runtime/containerd/containerd.ts';
import { releaseAddressRanges } from './address-ranges.ts';
import { overlayDevice } from './components/pod-network.ts';
import { deleteDataDir } from './data-dir.ts';
import { nodeDataDirs } from './image-load.ts';
import { forgetMergedKubeconfig } from './merged-kubeconfig.ts';
import { instanceId } from './node-site.ts';
import { isRunning, readRunState, removeRunState } from './run-state.ts';

/** A clean stop ends pods with their grace periods; after this it is killed. */
const STOP_TIMEOUT_MS = 120_000;
const POLL_MS = 10;

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
    while (isRunning(state) && Date.now() < deadline) await sleep(POLL_MS);
    if (isRunning(state)) process.kill(state.pid, 'SIGKILL');
  }
  const cleaned: string[] = [];
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    const dirs = nodeDataDirs(dataDir);
    for (const dir of dirs) cleaned.push(...(await stopContainers(dir)));
    cleaned.push(...(await unmountBelow(dirs.flatMap((dir) => [dir, containerdStateDir(dir)]))));
    cleaned.push(...(await removeNetworks(dirs)));
    if (purge) for (const dir of dirs) await rm(containerdStateDir(dir), { recursive: true, force: true });
  }
  removeRunState(dataDir);
  if (purge) {
    forgetMergedKubeconfig(dataDir);
    releaseAddressRanges({ dataDir });
    deleteDataDir(dataDir);
  }
  return { stoppedPid, cleaned };
}

async function stopContainers(dir: string): Promise<string[]> {
  const cleaned: string[] = [];
  let containerd = await findContainerd(dir);
  // Pods go on without containerd; one that is started anew finds them.
  if (!containerd && hasTasks(dir))
    containerd = await startContainerd({ dataDir: dir, logger: silentLogger }).catch(() => undefined);
  if (containerd) {
    const { createContainerdRuntime } = await import('../kubelet/runtime/containerd/containerd-runtime.ts');
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
    cleaned.push(`containerd (${containerd.pid})`);
    // One that a deleted pod left is stopped already and was only waiting for its removal.
    const running = sandboxes.filter(({ state }) => state === 'ready').length;
    if (running) cleaned.push(running === 1 ? '1 pod' : `${running} pods`);
  }
  if (await removeCgroupsNamed(cgroupRoot(kubeletInstance(dir)))) cleaned.push('cgroups');
  return cleaned;
}

function hasTasks(dir: string): boolean {
  try {
    return readdirSync(join(containerdStateDir(dir), 'io.containerd.runtime.v2.task', 'k8s.io')).length > 0;
  } catch {
    return false;
  }
}

async function removeNetworks(dirs: readonly string[]): Promise<string[]> {
  const ids = dirs.map(instanceId);
  const removed: string[] = [];
  const links = ids
    .flatMap((id) => [`k8ts-${id}`, overlayDevice(id)])
    .filter((link) => existsSync(`/sys/class/net/${link}`));
  for (const link of links) {
    await runProgram('ip', ['link', 'delete', link]).then(
      () => removed.push(`interface ${link}`),
      () => undefined, // it went by itself
    );
  }
  const wanted = new Set(ids.flatMap((id) => [`k8ts-net-${id}`, `k8ts-ports-${id}`, `k8ts-proxy-${id}`]));
  const tables = (await runProgram('nft', ['list', 'tables']).catch(() => ''))
    .split('\n')
    .map((line) => line.split(' ')[2] ?? '')
    .filter((table) => wanted.has(table));
  if (tables.length) {
    await runProgram('nft', ['-f', '-'], { input: tables.map((table) => `delete table ip ${table}\n`).join('') });
    removed.push(...tables.map((table) => `nftables table ${table}`));
  }
  return removed;
}

/** Volumes and root file systems of pods that were running; the deepest first. Throws STILL_MOUNTED: deleting would go into them. */
async function unmountBelow(dirs: readonly string[]): Promise<string[]> {
  const targets = await mountsBelow(dirs);
  if (targets.length === 0) return [];
  await runProgram('umount', ['-l', ...targets]).catch(() => undefined);
  const [left] = await mountsBelow(dirs);
  if (left !== undefined)
    throw new CodedError(
      'STILL_MOUNTED',
      `${left} can't be unmounted`,
      `Unmount it yourself (umount -l ${left}) and try again.`,
    );
  return [`${targets.length} mounts`];
}

async function mountsBelow(dirs: readonly string[]): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  return table
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((target) => dirs.some((dir) => target.startsWith(`${dir}/`)))
    .sort((a, b) => b.length - a.length);
}
