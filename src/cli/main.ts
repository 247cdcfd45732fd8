import { Command } from 'commander';
import { CodedError } from '../apimachinery/coded-error.ts';
import { VERSION } from '../cluster/version.ts';
import { defineAgent } from './agent.ts';
import { defineDown } from './down.ts';
import { sendFailure } from './failure-message.ts';
import { defineImage } from './image.ts';
import { defineServer } from './server.ts';
import { defineStatus } from './status.ts';
import { defineUp } from './up.ts';

// Whoever read the output may have gone (`k8ts status | head`): what is left to say is said to nobody.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

const program = new Command('k8ts')
  .description('Kubernetes, written in TypeScript: a whole cluster in one process')
  .version(VERSION)
  .showHelpAfterError('(k8ts --help lists what there is)')
  .addHelpText(
    'after',
    `
Exit codes:
  0  done
  1  it failed; the message says why and what to do
  2  the command line is wrong`,
  )
  .exitOverride();

for (const define of [defineUp, defineStatus, defineDown, defineImage, defineServer, defineAgent]) define(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
  sendFailure(error);
}

function report(error: unknown): number {
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('commander.')) {
    return 'exitCode' in error && error.exitCode === 0 ? 0 : 2;
  }
  if (error instanceof CodedError) {
    process.stderr.write(`error: ${error.message} [${error.code}]\n  ${error.remedy}\n`);
    return error.code === 'INVALID_OPTION' ? 2 : 1;
  }
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}
