import { apiVersionOf } from '../../apimachinery/meta.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { ContentResult } from '../request/result.ts';
import type { PriorityAndFairness } from './priority-and-fairness.ts';
import type { LevelRequest, PriorityLevel } from './priority-level.ts';

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
const QUEUE_COLUMNS = [
  'PriorityLevelName',
  'Index',
  'PendingRequests',
  'ExecutingRequests',
  'SeatsInUse',
  'NextDispatchR',
  'InitialSeatsSum',
  'MaxSeatsSum',
  'TotalWorkSum',
];
const REQUEST_COLUMNS = [
  'PriorityLevelName',
  'FlowSchemaName',
  'QueueIndex',
  'RequestIndexInQueue',
  'FlowDistingsher',
  'ArriveTime',
  'InitialSeats',
  'FinalSeats',
  'AdditionalLatency',
  'StartTime',
];
const DETAIL_COLUMNS = ['UserName', 'Verb', 'APIPath', 'Namespace', 'Name', 'APIVersion', 'Resource', 'SubResource'];
/** How long upstream takes a request to last as long as it knows nothing of it. */
const ESTIMATED_SECONDS = 0.003;
const NOT_STARTED = '0001-01-01T00:00:00Z';

type Row = readonly unknown[];

/** `/debug/api_priority_and_fairness/`: what priority levels, their queues and the requests in them are doing, as tables. */
export function addFlowControlRoutes(router: RequestRouter, fairness: PriorityAndFairness): void {
  const levels = () => [...fairness.levels()].sort((a, b) => (a.name < b.name ? -1 : 1));
  router.addPath(`${PATH}dump_priority_levels`, () => text([LEVEL_COLUMNS, ...levels().map(levelRow)]));
  router.addPath(`${PATH}dump_queues`, () => text([QUEUE_COLUMNS, ...levels().flatMap(queueRows)]));
  router.addPath(`${PATH}dump_requests`, ({ query }) => {
    const details = Boolean(query.get('includeRequestDetails'));
    const head = details ? [...REQUEST_COLUMNS, ...DETAIL_COLUMNS] : REQUEST_COLUMNS;
    return text([head, ...levels().flatMap((level) => requestRows(level, details))]);
  });
}

function levelRow({ name, activeQueues, waiting, executing, counts }: PriorityLevel): Row {
  const { dispatched, rejected, timedOut, cancelled } = counts;
  const idle = waiting === 0 && executing === 0;
  return [name, activeQueues, idle, false, waiting, executing, dispatched, rejected, timedOut, cancelled];
}

function queueRows(level: PriorityLevel): Row[] {
  return [...level.queues()].map(({ index, virtual, requests }) => {
    const working = [...level.working].filter(({ queue }) => queue === index);
    const waiting = seatsOf(requests);
    const work = seatSeconds(waiting * ESTIMATED_SECONDS);
    return [
      level.name,
      index,
      requests.length,
      working.length,
      seatsOf(working),
      seatSeconds(virtual),
      waiting,
      waiting,
      work,
    ];
  });
}

function requestRows(level: PriorityLevel, details: boolean): Row[] {
  const row = (request: LevelRequest, index: number): Row => [
    level.name,
    request.flowSchema,
    request.queue ?? -1,
    index,
    request.distinguisher,
    timeOf(request.arrived),
    request.seats,
    0,
    '0s',
    request.started === undefined ? NOT_STARTED : timeOf(request.started),
    ...(details ? detailsOf(request) : []),
  ];
  const waiting = [...level.queues()].flatMap(({ requests }) => requests.map(row));
  return [...waiting, ...[...level.working].map((request) => row(request, -1))];
}

function detailsOf({ context: { user, info } }: LevelRequest): Row {
  const apiVersion = info.resourceRequest ? apiVersionOf(info.group, info.version) : '';
  return [user.name, info.verb, info.path, info.namespace, info.name, apiVersion, info.resource, info.subresource];
}

const seatsOf = (requests: readonly LevelRequest[]) => requests.reduce((sum, { seats }) => sum + seats, 0);
const seatSeconds = (value: number) => `${value.toFixed(8)}ss`;
const timeOf = (at: number) => new Date(performance.timeOrigin + at).toISOString();

/** Columns side by side, divided by commas, for eyes and for spreadsheets. */
function text(rows: readonly Row[]): ContentResult {
  const lines = rows.map((row) => row.map((cell, column) => `${cell}${column < row.length - 1 ? ',' : ''}`));
  const widths = lines[0]!.map(
    (_, column) => lines.reduce((most, line) => Math.max(most, line[column]!.length), 7) + 1,
  );
  const body = lines.map(
    (line) =>
      `${line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('')
        .trimEnd()}\n`,
  );
  return { type: 'content', status: 200, contentType: 'text/plain; charset=utf-8', body: body.join('') };
}
