import { describe, expect, it } from 'vitest';
import { parseCronSchedule } from './cron-schedule.ts';
import { timeZoneProblem } from './time-zone.ts';

const next = (spec: string, after: string, zone = 'UTC') =>
  parseCronSchedule(spec).next(new Date(after), zone)?.toISOString();

describe('next activation', () => {
  // The table of robfig/cron's own behaviour, in UTC.
  it.each([
    ['*/15 * * * *', '2012-07-09T14:45:00Z', '2012-07-09T15:00:00.000Z'],
    ['*/15 * * * *', '2012-07-09T14:59:59Z', '2012-07-09T15:00:00.000Z'],
    ['20-35/15 * * * *', '2012-07-09T15:45:00Z', '2012-07-09T16:20:00.000Z'],
    ['*/15 * * * *', '2012-12-31T23:59:45Z', '2013-01-01T00:00:00.000Z'],
    ['0 0 9 Apr-Oct ?', '2012-07-09T23:35:00Z', '2012-08-09T00:00:00.000Z'],
    ['0 0 */5 Apr,Aug,Oct Mon', '2012-07-09T23:35:00Z', '2012-08-01T00:00:00.000Z'],
    ['0 0 * Feb Mon/2', '2012-07-09T23:35:00Z', '2013-02-01T00:00:00.000Z'],
    ['0 0 29 Feb ?', '2012-07-09T23:35:00Z', '2016-02-29T00:00:00.000Z'],
    ['@hourly', '2012-07-09T23:35:51.5Z', '2012-07-10T00:00:00.000Z'],
    ['@every 1m30s', '2012-07-09T14:45:10.9Z', '2012-07-09T14:46:40.000Z'],
    ['@every 100ms', '2012-07-09T14:45:10Z', '2012-07-09T14:45:11.000Z'],
  ])('%s after %s', (spec, after, expected) => expect(next(spec, after)).toBe(expected));

  it('has none for a date that does not exist', () => {
    expect(next('0 0 30 Feb ?', '2012-07-09T23:35:00Z')).toBeUndefined();
  });

  it('skips a wall time inside a daylight saving gap and repeats none at the overlap', () => {
    // New York 2012-03-11: 02:00 EST becomes 03:00 EDT.
    expect(next('30 2 11 Mar ?', '2012-03-11T05:00:00Z', 'America/New_York')).toBe('2013-03-11T06:30:00.000Z');
    expect(next('0 * * * *', '2012-03-11T06:00:00Z', 'America/New_York')).toBe('2012-03-11T07:00:00.000Z');
    expect(next('0 3 * * *', '2012-03-11T05:00:00Z', 'America/New_York')).toBe('2012-03-11T07:00:00.000Z');
    // New York 2012-11-04: 02:00 EDT becomes 01:00 EST; 01:30 happens twice.
    expect(next('30 1 * * *', '2012-11-04T04:00:00Z', 'America/New_York')).toBe('2012-11-04T05:30:00.000Z');
    expect(next('30 1 * * *', '2012-11-04T05:30:00Z', 'America/New_York')).toBe('2012-11-04T06:30:00.000Z');
    // Sao Paulo 2018-11-04: midnight does not exist.
    expect(next('0 0 * * *', '2018-11-03T12:00:00Z', 'America/Sao_Paulo')).toBe('2018-11-05T02:00:00.000Z');
  });

  it('takes a zone from the schedule', () => {
    expect(next('TZ=Asia/Tokyo 0 9 * * *', '2020-01-01T01:00:00Z')).toBe('2020-01-02T00:00:00.000Z');
  });
});

describe('parse errors', () => {
  it.each([
    ['', 'empty spec string'],
    ['* * *', 'expected exactly 5 fields, found 3: [* * *]'],
    ['5 j * * *', 'failed to parse int from j: strconv.Atoi: parsing "j": invalid syntax'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['@unrecognized', 'unrecognized descriptor: @unrecognized'],
    ['@every 1x', 'failed to parse duration @every 1x: time: invalid duration "1x"'],
  ])('%s', (spec, message) => expect(() => parseCronSchedule(spec)).toThrow(new Error(message)));
});

it('knows the time zone database', () => {
  for (const name of ['UTC', 'Etc/UTC', 'Europe/Rome', 'America/Argentina/Buenos_Aires', 'US/Eastern'])
    expect(timeZoneProblem(name)).toBeUndefined();
  for (const name of ['europe/rome', 'Europe/Nowhere', '+01:00', '../etc/passwd', 'a//b'])
    expect(timeZoneProblem(name)).toBe(`unknown time zone ${name}`);
});
