// `npm test`: installs what is missing, then lint, types, walls, dead code, unit tests, build, and the end-to-end
// scenarios. Ends with a table and one line "N passed, N failed, N skipped". `npm test -- unit|e2e|check` runs a part.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkNode, ensureDebianPackages, ensureNpmPackages, root, say, TEST_PACKAGES } from './ensure.mjs';

checkNode();
const wanted = process.argv[2];
const rows = [];
const totals = { passed: 0, failed: 0, skipped: 0 };
const runs = (part) => wanted === undefined || wanted === part;

ensureNpmPackages();
if (runs('unit') || runs('e2e')) {
  for (const name of ensureDebianPackages(TEST_PACKAGES)) say(`not installed (needs root and apt-get): ${name}`);
}
if (runs('check')) {
  step('lint and format', ['npx', 'biome', 'check', '--error-on-warnings', '--max-diagnostics=50']);
  step('types', ['npx', 'tsc']);
  step('types of the dashboard', ['npx', 'tsc', '-p', 'dashboard']);
  step('import walls', ['npx', 'depcruise', 'src']);
  step('dead code', ['npx', 'knip', '--no-progress']);
}
if (runs('unit')) suite('unit', ['npx', 'vitest', 'run', '--config', 'vitest.config.ts', ...process.argv.slice(3)]);
if (runs('e2e')) {
  step('build', [process.execPath, 'scripts/build.mjs', '--if-stale']);
  suite('e2e', ['npx', 'vitest', 'run', '--config', 'vitest.e2e.config.ts', ...process.argv.slice(3)]);
}
report();

function step(name, [command, ...args]) {
  const started = Date.now();
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const ok = result.status === 0;
  totals[ok ? 'passed' : 'failed']++;
  rows.push([ok ? 'passed' : 'FAILED', name, `${((Date.now() - started) / 1000).toFixed(1)} s`]);
  if (!ok) say(`${name}: failed`);
}

function suite(name, [command, ...args]) {
  const started = Date.now();
  const output = join(root, '.cache', `${name}.json`);
  mkdirSync(join(root, '.cache'), { recursive: true });
  rmSync(output, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
  const result = spawnSync(command, [...args, ...reporters], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const seconds = `${((Date.now() - started) / 1000).toFixed(1)} s`;
  if (!existsSync(output)) {
    totals.failed++;
    rows.push(['FAILED', `${name}: did not run`, seconds]);
    return;
  }
  const { testResults } = JSON.parse(readFileSync(output, 'utf8'));
  let failed = 0;
  for (const file of testResults) {
    const where = relative(root, file.name);
    if (file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed')) {
      failed++;
      rows.push(['FAILED', `${where}: ${(file.message ?? '').split('\n')[0]}`, '']);
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') totals.passed++;
      else if (test.status === 'failed') {
        failed++;
        rows.push(['FAILED', `${where}: ${test.fullName}`, '', test.failureMessages?.join('\n')]);
      } else {
        totals.skipped++;
        rows.push(['skipped', `${where}: ${test.fullName}`, '']);
      }
    }
  }
  if (failed === 0 && result.status !== 0) {
    failed++;
    rows.push(['FAILED', `${name}: an error outside of the tests (see above)`, '']);
  }
  totals.failed += failed;
  rows.push([failed ? 'FAILED' : 'passed', `${name} tests`, seconds]);
}

function report() {
  say('');
  for (const [state, name, seconds, why] of rows) {
    say(`${state.padEnd(8)} ${name}${seconds ? `  (${seconds})` : ''}`);
    if (why) say(why.split('\n').slice(0, 12).join('\n').replace(/^/gm, '         '));
  }
  say('');
  process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
  process.exit(totals.failed === 0 ? 0 : 1);
}
