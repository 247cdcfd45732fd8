/** Calendar fields of an instant in some time zone; `month` is 1 to 12, `weekday` 0 (Sunday) to 6. */
export interface WallClock {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly weekday: number;
}

/** Conversions between instants (milliseconds since the epoch) and wall clocks of one IANA time zone. */
export interface TimeZone {
  readonly name: string;
  wallClock(instant: number): WallClock;
  /** As Go's `time.Date`: fields may overflow; a time inside a gap lands on one side of it. */
  instant(year: number, month: number, day: number, hour: number, minute: number, second: number): number;
}

const names = /^[A-Za-z._+\-0-9]{1,14}$/;

/** Why `name` is no time zone, in Go's words; `undefined` when it is one. */
export function timeZoneProblem(name: string): string | undefined {
  const unknown = `unknown time zone ${name}`;
  for (const part of name.split('/'))
    if (part === '.' || part === '..' || part.startsWith('-') || !names.test(part)) return unknown;
  if (/^[+-]/.test(name)) return unknown;
  try {
    const canonical = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
    // Intl ignores case, the zone database does not.
    if (canonical !== name && canonical.toLowerCase() === name.toLowerCase()) return unknown;
    return undefined;
  } catch {
    return unknown;
  }
}

/** The zone of this process, where `name` is absent. Throws RangeError for an unknown name. */
export function timeZone(name?: string): TimeZone {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(name === undefined ? {} : { timeZone: name }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    era: 'short',
  });
  const fieldsAt = (instant: number) => {
    const fields = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
    let beforeChrist = false;
    for (const { type, value } of format.formatToParts(instant)) {
      if (type in fields) fields[type as keyof typeof fields] = Number(value);
      else if (type === 'era') beforeChrist = value.startsWith('B');
    }
    if (beforeChrist) fields.year = 1 - fields.year;
    return fields;
  };
  const utc = (f: { year: number; month: number; day: number; hour: number; minute: number; second: number }) =>
    Date.UTC(f.year, f.month - 1, f.day, f.hour, f.minute, f.second);
  const offsetAt = (instant: number) => {
    const whole = Math.floor(instant / 1000) * 1000;
    return utc(fieldsAt(whole)) - whole;
  };
  return {
    name: format.resolvedOptions().timeZone,
    wallClock(instant) {
      const fields = fieldsAt(instant);
      return { ...fields, weekday: new Date(utc(fields)).getUTCDay() };
    },
    instant(year, month, day, hour, minute, second) {
      const wall = utc({ year, month, day, hour, minute, second });
      return wall - offsetAt(wall - offsetAt(wall));
    },
  };
}
