import { defineKind } from '../define.ts';
import type { Binding } from '../types/core.v1.gen.ts';
import { validateBinding } from './pod-subresources.ts';

/** Never stored: assigns a pod to a node (see `bindPod`). */
export const binding = defineKind<Binding>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  default(binding) {
    if (binding.target) binding.target.kind ||= 'Node';
  },
  validate: validateBinding,
});
