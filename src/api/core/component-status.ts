import { column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { ComponentCondition, ComponentStatus } from '../types/core.v1.gen.ts';

const healthy = (status: ComponentStatus): ComponentCondition | undefined =>
  status.conditions?.find(({ type }) => type === 'Healthy');

/** Deprecated upstream and never stored: made from the health of the components when asked for. */
export const componentStatus = defineKind<ComponentStatus>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  columns: [
    nameColumn,
    column(
      'Status',
      (status) => {
        const condition = healthy(status);
        if (!condition) return 'Unknown';
        return condition.status === 'True' ? 'Healthy' : 'Unhealthy';
      },
      { description: 'Healthy, Unhealthy or Unknown' },
    ),
    column('Message', (status) => healthy(status)?.message ?? '', { description: 'What the component says' }),
    column('Error', (status) => healthy(status)?.error ?? '', { description: 'What went wrong' }),
  ],
  warnings: () => ['v1 ComponentStatus is deprecated in v1.19+'],
});
