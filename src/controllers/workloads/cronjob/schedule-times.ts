import { parseCronSchedule } from '../../../api/batch/cron-schedule.ts';
import { timeZone } from '../../../api/batch/time-zone.ts';
import type { CronJob } from '../../../api/types/batch.v1.gen.ts';

/** So many missed starts tell of a stopped controller or a wrong clock. */
const MANY_MISSED = 100;
/** After a scheduled time, so that it is surely over. */
const DELTA_MS = 100;

export interface ScheduleTimes {
  /** The latest scheduled time that has come, not looking past the starting deadline; epoch milliseconds. */
  readonly due: number | undefined;
  readonly tooManyMissed: boolean;
  /** Ms until the next scheduled time; undefined when there is none. */
  readonly untilNext: number | undefined;
}

/** Throws when the schedule is none. */
export function scheduleTimes(cronJob: CronJob, now: number): ScheduleTimes {
  const schedule = parseCronSchedule(cronJob.spec.schedule);
  const last = Date.parse(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? '');
  const { startingDeadlineSeconds } = cronJob.spec;
  const from = startingDeadlineSeconds === undefined ? last : Math.max(last, now - startingDeadlineSeconds * 1000);
  const next = (after: number) => schedule.next(new Date(after), cronJob.spec.timeZone)?.getTime();
  const { due, missed } = mostRecent(next, from, now);
  const upcoming = next(now);
  return {
    due,
    tooManyMissed: missed > MANY_MISSED,
    untilNext: upcoming === undefined ? undefined : upcoming - now + DELTA_MS,
  };
}

function mostRecent(
  next: (after: number) => number | undefined,
  from: number,
  now: number,
): { due: number | undefined; missed: number } {
  const first = next(from);
  if (first === undefined || first > now) return { due: undefined, missed: 0 };
  const second = next(first);
  if (second === undefined || second > now) return { due: first, missed: 1 };
  const interval = second - first;
  // Approximately: schedules need not be regular. From shortly before the end every time is looked at.
  const missed = Math.floor((now - first) / interval) + 1;
  let due = first;
  for (
    let time = next(first + Math.max(0, missed - 2) * interval);
    time !== undefined && time <= now;
    time = next(time)
  )
    due = time;
  return { due, missed };
}

/** RFC 3339 with the offset of the zone. */
export function zonedTime(instant: number, zone: string | undefined): string {
  const { year, month, day, hour, minute, second } = timeZone(zone).wallClock(instant);
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  const offset = Math.round((local - instant) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  const text = new Date(local).toISOString().slice(0, 19);
  if (offset === 0) return `${text}Z`;
  const minutes = Math.abs(offset);
  return `${text}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
