import type { RequestRouter } from '../request/request-router.ts';
import type { PriorityAndFairness } from './priority-and-fairness.ts';
import type { PriorityLevel } from './priority-level.ts';

const PATH = '/debug/api_priority_and_fairness/';
const LEVEL_COLUMNS = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
];

/** `/debug/api_priority_and_fairness/dump_priority_levels`: what each priority level is doing, as a table. */
export function addFlowControlRoutes(router: RequestRouter, fairness: PriorityAndFairness): void {
  router.addPath(`${PATH}dump_priority_levels`, () => ({
    type: 'content',
    status: 200,
    contentType: 'text/plain; charset=utf-8',
    body: table(LEVEL_COLUMNS, [...fairness.levels()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(levelRow)),
  }));
}

function levelRow({ name, activeQueues, waiting, executing, counts, exempt }: PriorityLevel) {
  const none = '<none>';
  if (exempt) return [name, none, none, none, none, none, none, none, none, none];
  const { dispatched, rejected, timedOut, cancelled } = counts;
  const idle = waiting === 0 && executing === 0;
  return [name, activeQueues, idle, false, waiting, executing, dispatched, rejected, timedOut, cancelled];
}

/** Columns side by side, each cell ended by a comma, for eyes and for spreadsheets. */
function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => `${cell},`));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)) + 1);
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}
