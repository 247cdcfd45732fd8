import { type TimeZone, timeZone, timeZoneProblem } from './time-zone.ts';

/** A parsed schedule, to the rules of robfig/cron v3 as CronJobs use them. */
export interface CronSchedule {
  /**
   * The first activation strictly after `after`; `undefined` when there is none within five years. `zone` is an IANA name
   * (this process's zone when absent); a `TZ=` prefix in the schedule wins over it.
   */
  next(after: Date, zone?: string): Date | undefined;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names: Readonly<Record<string, number>>;
}

/** The values a field allows, and whether it was written as `*` (days then combine with "and" instead of "or"). */
interface CronField {
  readonly allowed: ReadonlySet<number>;
  readonly star: boolean;
}

interface CronFields {
  readonly minute: CronField;
  readonly hour: CronField;
  readonly dayOfMonth: CronField;
  readonly month: CronField;
  readonly dayOfWeek: CronField;
}

const numbered = (words: string, from: number) =>
  Object.fromEntries(words.split(' ').map((word, index) => [word, index + from]));

const bounds = {
  minute: { min: 0, max: 59, names: {} },
  hour: { min: 0, max: 23, names: {} },
  dayOfMonth: { min: 1, max: 31, names: {} },
  month: { min: 1, max: 12, names: numbered('jan feb mar apr may jun jul aug sep oct nov dec', 1) },
  dayOfWeek: { min: 0, max: 6, names: numbered('sun mon tue wed thu fri sat', 0) },
} satisfies Record<string, Bounds>;

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Throws Error whose message says, in robfig/cron's words, what is wrong. */
export function parseCronSchedule(text: string): CronSchedule {
  if (text === '') throw new Error('empty spec string');
  let spec = text;
  let fixedZone: string | undefined;
  if (text.startsWith('TZ=') || text.startsWith('CRON_TZ=')) {
    const space = text.indexOf(' ');
    const name = text.slice(text.indexOf('=') + 1, space < 0 ? undefined : space);
    const problem = name === '' ? undefined : timeZoneProblem(name);
    if (space < 0 || problem) throw new Error(`provided bad location ${name}: ${problem ?? 'missing schedule'}`);
    fixedZone = name || 'UTC';
    spec = text.slice(space).trim();
  }
  if (spec.startsWith('@every ')) return everySchedule(spec);
  if (spec.startsWith('@') && !Object.hasOwn(descriptors, spec)) throw new Error(`unrecognized descriptor: ${spec}`);
  const fields = parseFields(descriptors[spec] ?? spec);
  return {
    next: (after, zone) => nextActivation(fields, after, timeZone(fixedZone ?? zone)),
  };
}

function everySchedule(spec: string): CronSchedule {
  const text = spec.slice('@every '.length);
  const parsed = parseGoDuration(text);
  if (parsed === undefined) throw new Error(`failed to parse duration ${spec}: time: invalid duration "${text}"`);
  const delay = Math.max(1000, Math.floor(parsed / 1000) * 1000);
  return { next: (after) => new Date(Math.floor(after.getTime() / 1000) * 1000 + delay) };
}

/** Milliseconds of a Go duration such as `1h30m`; `undefined` when it is none. */
function parseGoDuration(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = {
    ns: 1e-6,
    us: 1e-3,
    µs: 1e-3,
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
  };
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  if (!rest || !/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(rest)) return undefined;
  let total = 0;
  for (const [, amount, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g))
    total += Number(amount) * (units[unit ?? ''] ?? 0);
  return sign === '-' ? -total : total;
}

function parseFields(spec: string): CronFields {
  const fields = spec.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields as [string, string, string, string, string];
  return {
    minute: parseField(minute, bounds.minute),
    hour: parseField(hour, bounds.hour),
    dayOfMonth: parseField(dayOfMonth, bounds.dayOfMonth),
    month: parseField(month, bounds.month),
    dayOfWeek: parseField(dayOfWeek, bounds.dayOfWeek),
  };
}

function parseField(text: string, field: Bounds): CronField {
  const allowed = new Set<number>();
  let star = false;
  for (const part of text.split(',')) {
    if (part === '') continue;
    const range = parseRange(part, field);
    for (let value = range.start; value <= range.end; value += range.step) allowed.add(value);
    star ||= range.star;
  }
  return { allowed, star };
}

function parseRange(text: string, field: Bounds) {
  const [range = '', stepText, ...moreSteps] = text.split('/');
  const [low = '', high, ...moreBounds] = range.split('-');
  let start: number;
  let end: number;
  let star = false;
  if (low === '*' || low === '?') {
    start = field.min;
    end = field.max;
    star = true;
  } else {
    start = parseNumberOrName(low, field.names);
    if (moreBounds.length > 0) throw new Error(`too many hyphens: ${text}`);
    end = high === undefined ? start : parseNumberOrName(high, field.names);
  }
  let step = 1;
  if (moreSteps.length > 0) throw new Error(`too many slashes: ${text}`);
  if (stepText !== undefined) {
    step = parseNumber(stepText);
    if (high === undefined) end = field.max;
    if (step > 1) star = false;
  }
  if (start < field.min) throw new Error(`beginning of range (${start}) below minimum (${field.min}): ${text}`);
  if (end > field.max) throw new Error(`end of range (${end}) above maximum (${field.max}): ${text}`);
  if (start > end) throw new Error(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new Error(`step of range should be a positive number: ${text}`);
  return { start, end, step, star };
}

function parseNumberOrName(text: string, names: Readonly<Record<string, number>>): number {
  const name = text.toLowerCase();
  return Object.hasOwn(names, name) ? (names[name] as number) : parseNumber(text);
}

function parseNumber(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw new Error(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new Error(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`,
    );
  if (value < 0) throw new Error(`negative number (${value}) not allowed: ${text}`);
  return value;
}

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/**
 * Walks from the largest unit to the smallest, adding to the first that does not match and starting over when it wraps;
 * robfig/cron's own algorithm, so that days with 23 or 25 hours come out the same: hours and minutes advance in absolute
 * time, days and months on the calendar.
 */
function nextActivation(fields: CronFields, after: Date, zone: TimeZone): Date | undefined {
  let instant = Math.floor(after.getTime() / secondMs) * secondMs + secondMs;
  const yearLimit = zone.wallClock(instant).year + 5;
  // True once a unit was advanced: all smaller units were then set to their start.
  let advanced = false;

  for (;;) {
    let wall = zone.wallClock(instant);
    if (wall.year > yearLimit) return undefined;

    if (!fields.month.allowed.has(wall.month)) {
      const from = advanced ? wall : { ...wall, day: 1, hour: 0, minute: 0, second: 0 };
      advanced = true;
      instant = zone.instant(from.year, from.month + 1, from.day, from.hour, from.minute, from.second);
      continue;
    }

    if (!dayMatches(fields, wall)) {
      const from = advanced ? wall : { ...wall, hour: 0, minute: 0, second: 0 };
      advanced = true;
      instant = zone.instant(from.year, from.month, from.day + 1, from.hour, from.minute, from.second);
      const { hour } = zone.wallClock(instant);
      // Midnight does not exist on some days: back to the day's first hour, or on to it.
      if (hour > 12) instant += (24 - hour) * hourMs;
      else if (hour !== 0) instant -= hour * hourMs;
      continue;
    }

    if (!fields.hour.allowed.has(wall.hour)) {
      if (!advanced) instant -= wall.minute * minuteMs + wall.second * secondMs;
      advanced = true;
      do {
        instant += hourMs;
        wall = zone.wallClock(instant);
      } while (wall.hour !== 0 && !fields.hour.allowed.has(wall.hour));
      if (wall.hour === 0) continue;
    }

    if (!fields.minute.allowed.has(wall.minute)) {
      if (!advanced) instant -= wall.second * secondMs;
      advanced = true;
      do {
        instant += minuteMs;
        wall = zone.wallClock(instant);
      } while (wall.minute !== 0 && !fields.minute.allowed.has(wall.minute));
      if (wall.minute === 0) continue;
    }

    if (wall.second !== 0) {
      advanced = true;
      instant += minuteMs - wall.second * secondMs;
      continue;
    }
    return new Date(instant);
  }
}

function dayMatches(fields: CronFields, day: { readonly day: number; readonly weekday: number }): boolean {
  const ofMonth = fields.dayOfMonth.allowed.has(day.day);
  const ofWeek = fields.dayOfWeek.allowed.has(day.weekday);
  return fields.dayOfMonth.star || fields.dayOfWeek.star ? ofMonth && ofWeek : ofMonth || ofWeek;
}
