import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { clusterDown, clusterUp, k8ts, program } from '../../support/k8ts.ts';
import { kubectlFor, runCommand } from '../../support/kubectl.ts';
import { processesOf } from '../../support/traces.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

describe('the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('explains every command, with its options and exit codes', async () => {
    const main = await k8ts(['--help']);
    expect(main.code).toBe(0);
    for (const part of ['up ', 'status ', 'down ', 'image', 'server ', 'agent ', 'Exit codes:'])
      expect(main.stdout).toContain(part);
    const options: Record<string, string[]> = {
      up: ['--detach', '--data-dir', '--api-port', '--datastore', '--runtime', '--nodes', '--disable', '--timings'],
      status: ['--data-dir', '--output'],
      down: ['--data-dir', '--purge'],
      'image load': ['--data-dir', '<file...>'],
      server: ['--data-dir', '--api-port'],
      agent: ['--data-dir', '--server', '--token'],
    };
    const helps = await Promise.all(
      Object.entries(options).map(async ([name, wanted]) => ({
        wanted,
        result: await k8ts([...name.split(' '), '--help']),
      })),
    );
    for (const { wanted, result } of helps) {
      expect(result.code).toBe(0);
      for (const option of wanted) expect(result.stdout).toContain(option);
    }
    expect(await k8ts(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  it.each([
    [['fly'], /unknown command 'fly'/],
    [['up', '--wings'], /unknown option '--wings'/],
    [['up', '--api-port', '70000'], /a port is a number from 0 to 65535/],
    [['up', '--nodes', 'many'], /expected a whole number/],
    [['up', '--runtime', 'docker'], /expected one of: containerd, simulated/],
    [['status', '-o', 'yaml'], /expected one of: json/],
    [
      ['up', '--runtime', 'simulated', '--disable', 'gravity'],
      /no component "gravity" to disable.*\[INVALID_OPTION\]\n +Choose among: .*dns/,
    ],
    [['up', '--detach', '--runtime', 'simulated', '--service-cidr', 'ten'], /service range "ten".*\[INVALID_OPTION\]/],
  ])('refuses %j with exit code 2 and says why', async (args, why) => {
    const result = await k8ts([...args, '--data-dir', join(folder, 'refused')]);
    expect(result.stderr).toMatch(why);
    expect(result.code).toBe(2);
    expect(processesOf(join(folder, 'refused'))).toEqual([]);
  });

  it('has nothing to tell or stop where no cluster runs', async () => {
    const dataDir = join(folder, 'none');
    expect(await k8ts(['status', '--data-dir', dataDir])).toMatchObject({
      code: 1,
      stdout: `No cluster runs with the data directory ${dataDir}.\n`,
    });
    expect(await k8ts(['down', '--data-dir', dataDir])).toMatchObject({ code: 0, stdout: 'no cluster was running\n' });
    expect(existsSync(dataDir)).toBe(false);
    const image = await k8ts(['image', 'load', '--data-dir', dataDir, '/dev/null']);
    expect(image).toMatchObject({ code: 1, stderr: expect.stringContaining('[NO_CONTAINERD]') });
  });

  it('ends as it would when nobody reads its output to the end', async () => {
    const child = spawn(process.execPath, [program, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let complaint = '';
    child.stderr.on('data', (chunk) => {
      complaint += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, complaint }).toEqual({ code: 0, complaint: '' });
  });

  it('boots a simulated cluster of three nodes without root', async () => {
    const dataDir = join(folder, 'simulated');
    mkdirSync(dataDir);
    if (isRoot) {
      chownSync(folder, NOBODY, NOBODY);
      chownSync(dataDir, NOBODY, NOBODY);
    }
    const who = { env: { PATH: process.env.PATH, HOME: folder }, ...(isRoot ? { uid: NOBODY } : {}) };
    const cluster = await clusterUp(dataDir, ['--runtime', 'simulated', '--nodes', '3'], who);
    try {
      if (isRoot) expect(statSync(`/proc/${cluster.pid}`).uid).toBe(NOBODY);
      const status = await k8ts(['status', '--data-dir', dataDir], who);
      expect(status.code).toBe(0);
      expect(status.stdout).toContain('simulated runtime');
      expect(status.stdout).toMatch(/– kube-proxy +\d+ ms +simulated pods have no network/);
      const kubectl = await kubectlFor(cluster.kubeconfig);
      expect(await kubectl('get nodes --no-headers')).toMatch(/^node-1 +Ready .*\nnode-2 +Ready .*\nnode-3 +Ready /);
      await kubectl('create deployment web --image=registry.example.com/web:1 --replicas=6');
      await kubectl('rollout status deployment/web --timeout=30s');
      const nodes = await kubectl('get pods -o jsonpath={.items[*].spec.nodeName}');
      expect(new Set(nodes.split(' ')).size).toBe(3);
      const beside = await kubectlFor(
        (await clusterUp(join(folder, 'beside'), ['--runtime', 'simulated', '--datastore', 'memory'], who)).kubeconfig,
      );
      expect(await beside('get deployments -o name')).toBe('');
    } finally {
      await clusterDown(join(folder, 'beside'));
      await clusterDown(dataDir);
    }
    expect(processesOf(dataDir)).toEqual([]);
  });

  it('deletes what a cluster made and nothing else when the data directory held other files', async () => {
    const dataDir = join(folder, 'shared');
    mkdirSync(join(dataDir, 'photos'), { recursive: true });
    writeFileSync(join(dataDir, 'photos', 'cat'), 'meow');
    await clusterUp(dataDir, ['--runtime', 'simulated']);
    await clusterDown(dataDir);
    expect(readFileSync(join(dataDir, 'photos', 'cat'), 'utf8')).toBe('meow');
    expect(existsSync(join(dataDir, 'pki'))).toBe(false);
  });

  it('stays in the foreground, draws the phases live in a terminal, and drains on SIGTERM', async () => {
    const dataDir = join(folder, 'foreground');
    const command = `stty cols 100; exec ${process.execPath} ${program} up --runtime simulated --data-dir ${dataDir} --api-port 0 --dashboard-port 0`;
    const child = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let screen = '';
    child.stdout.on('data', (chunk) => {
      screen += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    await eventually(() => screen.includes('kubectl get nodes'));
    expect(screen).toContain('\x1b[J');
    const last = screen.slice(screen.lastIndexOf('\x1b[J'));
    for (const line of [/✔.* 1 control plane +\d+ ms/, /✔ kubelet +\d+ ms/, /✔.* 5 ready +\d+ ms/])
      expect(last).toMatch(line);
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8'));
    process.kill(pid, 'SIGTERM');
    expect(await ended).toBe(0);
    expect(screen).toContain('stopping');
    expect(existsSync(join(dataDir, 'run.json'))).toBe(false);
    expect(processesOf(dataDir)).toEqual([]);
  });

  it('writes plain lines where there is no terminal, and ends cleanly when it is stopped during the boot', async () => {
    const dataDir = join(folder, 'interrupted');
    const args = [program, 'up', '--runtime', 'simulated', '--data-dir', dataDir, '--api-port', '0'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let lines = '';
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.stderr.on('data', (chunk) => {
      if (lines === '') child.kill('SIGTERM');
      lines += chunk;
    });
    expect(await ended).toBe(0);
    expect(lines).toMatch(/^(pki|datastore|container-runtime): ready in \d+ ms\n/);
    expect(lines).not.toContain('\x1b');
    expect(await runCommand(process.execPath, [program, 'status', '--data-dir', dataDir])).toMatchObject({ code: 1 });
  });
});
