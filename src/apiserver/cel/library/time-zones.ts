import { type TimeZone, timeZone } from '../../../api/batch/time-zone.ts';

/** `getHours("+02:00")` and the like: parts of a time in a zone, by offset (the sign may be left out) or by name. */
export const timeParts: Readonly<Record<string, (time: Date) => number>> = {
  getFullYear: (time) => time.getUTCFullYear(),
  getMonth: (time) => time.getUTCMonth(),
  getDate: (time) => time.getUTCDate(),
  getDayOfMonth: (time) => time.getUTCDate() - 1,
  getDayOfWeek: (time) => time.getUTCDay(),
  getDayOfYear: (time) => Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000),
  getHours: (time) => time.getUTCHours(),
  getMinutes: (time) => time.getUTCMinutes(),
  getSeconds: (time) => time.getUTCSeconds(),
  getMilliseconds: (time) => time.getUTCMilliseconds(),
};

/** A time whose UTC parts are the local ones. Throws for a zone that is not known. */
export function localTime(time: Date, zone: string): Date {
  return new Date(time.getTime() + offsetOf(time, zone));
}

function offsetOf(time: Date, zone: string): number {
  if (zone === '' || zone === 'UTC') return 0;
  if (zone.includes(':')) {
    const [, sign, hours, minutes] = /^([+-]?)(\d\d?):(\d\d?)$/.exec(zone) ?? [];
    if (hours === undefined) throw new Error(`invalid timezone: ${zone}`);
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  }
  const { year, month, day, hour, minute, second } = zoneNamed(zone).wallClock(time.getTime());
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day);
  local.setUTCHours(hour, minute, second, time.getUTCMilliseconds());
  return local.getTime() - time.getTime();
}

function zoneNamed(name: string): TimeZone {
  try {
    return timeZone(name);
  } catch {
    throw new Error(`unknown time zone ${name}`);
  }
}
