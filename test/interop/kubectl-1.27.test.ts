import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../support/embedded-cluster.ts';
import type { Kubectl } from '../support/kubectl.ts';

describe('kubectl 1.27', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    kubectl = await embedded.kubectl('default', '1.27');
  });
  afterAll(() => embedded.stop());

  it('applies, reads, changes, explains and deletes', async () => {
    const manifest = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'old' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'old' } },
        template: {
          metadata: { labels: { app: 'old' } },
          spec: { containers: [{ name: 'c', image: 'registry.example/c:1' }] },
        },
      },
    };
    expect(await kubectl.apply(manifest)).toBe('deployment.apps/old created\n');
    expect(await kubectl.apply(manifest)).toBe('deployment.apps/old unchanged\n');
    expect(
      await kubectl.apply(
        { ...manifest, spec: { ...manifest.spec, replicas: 2 } },
        '--server-side',
        '--force-conflicts',
      ),
    ).toBe('deployment.apps/old serverside-applied\n');
    expect(await kubectl('rollout status deployment/old --timeout=20s')).toContain('successfully rolled out');
    expect(await kubectl('get deployment old --no-headers')).toMatch(/^old +2\/2 /);
    expect(await kubectl('describe deployment old')).toMatch(
      /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$/m,
    );
    await kubectl('label deployment old a=b');
    await kubectl('annotate deployment old a=b');
    await kubectl(['patch', 'deployment', 'old', '-p', '{"spec":{"replicas":1}}']);
    expect(await kubectl('explain deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
    expect(await kubectl('auth can-i create pods')).toBe('yes\n');
    await kubectl('delete deployment old --cascade=foreground --timeout=40s');
    expect(await kubectl('get deployments,rs,pods -o name')).toBe('');
  });
});
