import { expect, it } from 'vitest';
import type { Pod } from '../api/types/core.v1.gen.ts';
import { createKubeletPods } from './kubelet-pods.ts';

const pod = (uid: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'db-0', namespace: 'default', uid },
  spec: { containers: [] },
});

it('finds the new pod of a name while the old one, deleted without grace, is still ending', () => {
  const pods = createKubeletPods(
    () => [pod('old'), pod('new')],
    () => undefined,
  );
  expect(pods.get('default', 'db-0')?.metadata.uid).toBe('new');
  expect(pods.get('other', 'db-0')).toBeUndefined();
});
