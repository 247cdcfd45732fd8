import { expect, it } from 'vitest';
import { formatCheck } from './formats.ts';

/** What Go's library of formats takes, and what it does not. */
it.each<[string, string[], string[]]>([
  [
    'uri',
    ['http://a/b?c#d', '/a', 'a:b', '*', 'http://', 'http://[::1]:80'],
    ['', 'a/b', 'http://a b', 'http://a/%zz'],
  ],
  ['email', ['a@b', '"a b"@c.d', 'Bob <a@b.c>'], ['a@', 'a b@c.d', 'a.@b.c', 'a@b.c, d@e.f']],
  ['hostname', ['a', 'x-1.example', 'bücher.de', 'a-'], ['', 'a.b', '-a', 'a_b.c', '1.2.3.4', 'a..bc']],
  ['ipv4', ['1.2.3.4', '01.2.3.4', '::ffff:1.2.3.4'], ['1.2.3', '::1']],
  ['mac', ['01:23:45:67:89:ab', '0123.4567.89ab'], ['01:23-45:67:89:ab', '01:23:45:67:89']],
  ['ssn', ['123-45-6789'], ['123456789']],
  ['rgbcolor', ['rgb( 1 , 2 , 255 )'], ['rgb(01,2,3)', 'rgb(1,2,256)']],
  ['byte', ['aGVsbG8='], ['', 'aGVsbG8', 'a-_b']],
  [
    'date-time',
    ['2020-01-01t00:00:00.5z', '2020-01-01T00:00:00+25:00'],
    ['2020-02-30T00:00:00Z', '2020-01-01T24:00:00Z'],
  ],
  ['duration', ['1h30m', '-1.5s', '3 weeks', 'P1D'], ['', '1', 'h', '1y']],
])('%s', (format, yes, no) => {
  const check = formatCheck(format)!;
  expect(yes.filter((value) => !check(value))).toEqual([]);
  expect(no.filter(check)).toEqual([]);
});
