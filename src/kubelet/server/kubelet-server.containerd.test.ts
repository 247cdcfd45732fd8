import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noContainers, startTestNode, type TestNode } from '../testing/containerd-node.ts';
import { newPod } from '../testing/kubelet-on-fake-api.ts';
import { type ApiWithNode, startApiWithNode } from './testing/api-with-node.ts';

const skip = noContainers();
const VERSIONS = ['1.35', '1.31'] as const;

describe.skipIf(skip)(`kubelet server on containerd${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  let cluster: ApiWithNode;

  beforeAll(async () => {
    node = await startTestNode('10.202.0.0/24');
    cluster = await startApiWithNode(node.runtime, node.dataDir);
  }, 60_000);

  afterAll(async () => {
    await cluster?.stop();
    await node?.stop();
  }, 30_000);

  it('shows logs, and execs with both protocols', async () => {
    await cluster.run(newPod('web', 'echo hello; echo oops >&2; echo -n unended; sleep 300'));
    for (const version of VERSIONS) {
      const logs = await cluster.kubectl(version, ['logs', 'web']);
      expect(logs).toEqual({ code: 0, stdout: 'hello\noops\nunended', stderr: '' });
      const exec = await cluster.kubectl(version, ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
      expect(exec.stdout).toBe('out\n');
      expect(exec.stderr).toContain('err\n');
      expect(exec.code).toBe(3);
    }
  });
});
