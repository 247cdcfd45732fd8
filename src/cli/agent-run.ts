import { CodedError } from '../apimachinery/coded-error.ts';

export async function runAgent(_flags: object): Promise<void> {
  throw new CodedError('NOT_BUILT', 'agents are not built yet', 'Use `k8ts up`.');
}
