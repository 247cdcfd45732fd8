import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';

describe('the Python client', () => {
  let embedded: EmbeddedCluster;

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
  });
  afterAll(() => embedded.stop());

  it('writes, watches, scales, runs commands, forwards ports and uses custom resources', async () => {
    // The Python that Debian's packages belong to.
    const script = fileURLToPath(new URL('client.py', import.meta.url));
    const { stdout } = await promisify(execFile)('/usr/bin/python3', [script, embedded.kubeconfig], {
      timeout: 90_000,
    });
    expect(JSON.parse(stdout)).toEqual({
      ready: 2,
      scaled: 1,
      annotation: 'json-patch',
      conflict: [409, 'Conflict'],
      pages: [3, 3, 1],
      events: [
        ['MODIFIED', 'python-1'],
        ['DELETED', 'python-0'],
      ],
      exec: 'simulated container c would run: echo hi\n',
      log: 'simulated container c started\n',
      forward: expect.stringMatching(/^simulated pod default\/python-\S+, port 80\n$/),
      custom: { length: 4, colour: 'green' },
      missing: [404, 'Not Found', 'pods "none" not found'],
      service: 'ClusterIP',
      left: 0,
    });
  });
});
