import { expect, it } from 'vitest';
import { normalizeQuantities } from './normalize-quantities.ts';
import { schemaOf } from './schema.ts';

it('writes quantities in canonical form, wherever they are', () => {
  const pod = {
    spec: {
      containers: [{ name: '0.5', resources: { limits: { cpu: 0.5, memory: '1024Mi' }, requests: { cpu: 'much' } } }],
      volumes: [{ emptyDir: { sizeLimit: '0.5Gi' } }],
    },
  };
  normalizeQuantities(pod, schemaOf('core.v1.Pod'));
  expect(pod).toEqual({
    spec: {
      containers: [{ name: '0.5', resources: { limits: { cpu: '500m', memory: '1Gi' }, requests: { cpu: 'much' } } }],
      volumes: [{ emptyDir: { sizeLimit: '512Mi' } }],
    },
  });
});
