import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type BuiltImage, buildImage } from '../../../src/kubelet/runtime/images/image-tar.ts';
import { eventually } from '../../support/eventually.ts';
import { type ImageRegistry, noRegistry, startImageRegistry } from '../../support/image-registry.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { freshNamespace, scenario } from '../../support/scenario.ts';

const missing = inject('cluster') ? noRegistry() : undefined;

interface PodView {
  status: {
    containerStatuses?: { imageID: string; state: { waiting?: { reason: string; message: string } } }[];
  };
}

scenario(`image from a registry${missing ? ` (${missing})` : ''}`, ({ cluster }) => {
  const test = missing ? it.skip : it;
  let registry: ImageRegistry;
  let image: BuiltImage;
  let kubectl: Kubectl;
  let remove: () => Promise<void>;
  const run = (name: string, ref: string) =>
    kubectl.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'app', image: ref, command: ['echo', 'from the registry'] }],
      },
    });
  const stateOf = async (name: string) => (await kubectl.get<PodView>(`pod ${name}`)).status.containerStatuses?.[0];
  const eventsOf = (name: string) =>
    kubectl(`get events --field-selector involvedObject.name=${name} -o jsonpath={.items[*].message}`);

  beforeAll(async () => {
    if (missing) return;
    ({ kubectl, remove } = await freshNamespace(cluster, 'registry'));
    registry = await startImageRegistry();
    image = await buildImage({
      ref: 'app:1',
      gzip: true,
      layers: [
        [
          { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
          { path: 'bin/echo', link: 'busybox' },
        ],
      ],
      config: { Env: ['PATH=/bin'] },
    });
    await registry.push(image, 'team/app', '1');
  });
  afterAll(async () => {
    await remove?.();
    await registry?.stop();
  });

  test('is pulled and run, and known by its digest', async () => {
    await run('pulled', `${registry.host}/team/app:1`);
    await kubectl('wait --for=jsonpath={.status.phase}=Succeeded pod/pulled --timeout=30s');
    expect(await kubectl('logs pulled')).toBe('from the registry\n');
    expect((await stateOf('pulled'))?.imageID).toBe(`${registry.host}/team/app@${image.manifest.digest}`);
    const events = await eventsOf('pulled');
    expect(events).toContain(`Pulling image "${registry.host}/team/app:1"`);
    expect(events).toContain(`Successfully pulled image "${registry.host}/team/app:1" in `);
  });

  test('that is not there is told clearly and tried again with a back-off, until it is pushed', async () => {
    const ref = `${registry.host}/team/app:2`;
    await run('early', ref);
    const seen = new Set<string>();
    await eventually(
      async () => {
        seen.add((await stateOf('early'))?.state.waiting?.reason ?? '');
        return seen.has('ErrImagePull') && seen.has('ImagePullBackOff');
      },
      { intervalMs: 20 },
    );
    const waiting = await eventually(async () => {
      const state = (await stateOf('early'))!.state.waiting!;
      return state.reason === 'ImagePullBackOff' && state;
    });
    expect((waiting as { message: string }).message).toContain(`Back-off pulling image "${ref}"`);
    expect(await kubectl('get pod early --no-headers')).toMatch(/^early +0\/1 +(ImagePullBackOff|ErrImagePull) +0 /);
    const events = await eventsOf('early');
    expect(events).toMatch(new RegExp(`Failed to pull image "${ref}": .*${ref}: not found`));
    expect(events).toContain('Error: ErrImagePull');
    expect(events).toContain(`Back-off pulling image "${ref}"`);

    await registry.push(image, 'team/app', '2');
    await kubectl('wait --for=jsonpath={.status.phase}=Succeeded pod/early --timeout=60s');
    expect(await kubectl('logs early')).toBe('from the registry\n');
  });
});
