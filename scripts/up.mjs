// `npm run up`: installs what is missing, builds once, and starts a cluster. Arguments after `--` go to `k8ts up`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import {
  checkNode,
  ensureBuilt,
  ensureDebianPackages,
  ensureNpmPackages,
  NODE_PACKAGES,
  root,
  say,
} from './ensure.mjs';

checkNode();
ensureNpmPackages();
const args = process.argv.slice(2);
if (!args.some((arg, at) => arg === '--runtime=simulated' || (arg === '--runtime' && args[at + 1] === 'simulated'))) {
  const missing = ensureDebianPackages(NODE_PACKAGES);
  if (missing.length) say(`not installed (needs root and apt-get): ${missing.join(', ')}`);
}
ensureBuilt();
const child = spawn(process.execPath, [join(root, 'bin', 'k8ts'), 'up', ...args], { stdio: 'inherit' });
// The child is told by the terminal itself; this process only waits for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
