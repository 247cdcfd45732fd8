import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimAddressRanges, releaseAddressRanges } from './address-ranges.ts';
import { processStart, writeRunState } from './run-state.ts';

describe('address ranges of clusters on one host', () => {
  let folder: string;
  let claimsDir: string;
  let routesFile: string;
  const dataDir = (name: string) => {
    const dir = join(folder, name);
    mkdirSync(dir, { recursive: true });
    return dir;
  };
  const claim = (name: string) => claimAddressRanges({ dataDir: dataDir(name), claimsDir, routesFile }).clusterCIDR;
  const run = (name: string) =>
    writeRunState(dataDir(name), { pid: process.pid, processStart: processStart(process.pid) } as never);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'k8ts-ranges-'));
    claimsDir = join(folder, 'claims');
    routesFile = join(folder, 'routes');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('differ, and stay those of their data directory', () => {
    expect([claim('a'), claim('b'), claim('a'), claim('b')]).toEqual([
      '10.244.0.0/16',
      '10.245.0.0/16',
      '10.244.0.0/16',
      '10.245.0.0/16',
    ]);
    expect(claimAddressRanges({ dataDir: dataDir('c'), claimsDir, routesFile })).toEqual({
      clusterCIDR: '10.246.0.0/16',
      serviceCIDR: '10.98.0.0/16',
    });
  });

  it('are free again when the directory is deleted or gives them back', () => {
    claim('a');
    claim('b');
    rmSync(dataDir('a'), { recursive: true });
    expect(claim('c')).toBe('10.244.0.0/16');
    releaseAddressRanges({ dataDir: dataDir('b'), claimsDir });
    expect(claim('d')).toBe('10.245.0.0/16');
  });

  it("leave out what the host's routes have", () => {
    writeFileSync(
      routesFile,
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nx\t0000F40A\t0\t1\t0\t0\t0\t0000FFFF\nx\t0000610A\t0\t1\t0\t0\t0\t00FFFFFF\nx\t00000000\t0\t1\t0\t0\t0\t00000000\n',
    );
    expect(claim('a')).toBe('10.246.0.0/16');
  });

  it('of a stopped cluster are taken over when there are no others; its next start is told so', () => {
    const names = Array.from({ length: 12 }, (_, n) => `cluster-${n}`);
    for (const name of names) claim(name);
    for (const name of names.filter((name) => name !== 'cluster-3')) run(name);
    expect(claim('late')).toBe('10.247.0.0/16');
    run('late');
    expect(() => claim('cluster-3')).toThrow(
      expect.objectContaining({ code: 'RANGES_TAKEN', message: expect.stringContaining(dataDir('late')) }),
    );
    expect(() => claim('later')).toThrow(expect.objectContaining({ code: 'RANGES_TAKEN' }));
  });
});
