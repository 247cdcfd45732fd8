import {
  isCIDR,
  isDns1123Label,
  isDns1123Subdomain,
  isIPv4Address,
  isIPv6Address,
} from '../../../apimachinery/names.ts';

/** The formats of strings that CRDs can ask for; any other is not looked at. */
export function formatCheck(format: string): ((value: string) => boolean) | undefined {
  return Object.hasOwn(checks, format.replaceAll('-', '')) ? checks[format.replaceAll('-', '')] : undefined;
}

const matches = (pattern: RegExp) => (value: string) => pattern.test(value);
const uuid = (version: string) =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i'));
const digitsOf = (value: string) => value.replace(/[\s-]/g, '');

/** By name without dashes. */
const checks: Readonly<Record<string, (value: string) => boolean>> = {
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  uri: isUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: (value) => isIPv4Address(value.replace(/^::ffff:(?=\d+\.)/i, '')).length === 0,
  ipv6: (value) => value.includes(':') && isIPv6Address(value).length === 0,
  cidr: (value) => isCIDR(value).length === 0,
  mac: matches(
    /^([0-9a-f]{2}([:-])([0-9a-f]{2}\2){4}(([0-9a-f]{2}\2){2}|([0-9a-f]{2}\2){14})?[0-9a-f]{2}|([0-9a-f]{4}\.){2}([0-9a-f]{4}\.|([0-9a-f]{4}\.){7})?[0-9a-f]{4})$/i,
  ),
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  uuid5: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  isbn: (value) => isIsbn10(digitsOf(value)) || isIsbn13(digitsOf(value)),
  isbn10: (value) => isIsbn10(digitsOf(value)),
  isbn13: (value) => isIsbn13(digitsOf(value)),
  creditcard: (value) => /^\d{12,19}$/.test(digitsOf(value)) && luhn(digitsOf(value)),
  ssn: matches(/^\d{3}[- ]\d{2}[- ]\d{4}$/),
  hexcolor: matches(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
  rgbcolor: (value) => {
    const match = /^rgb\(\s*(0|[1-9]\d{0,2})\s*,\s*(0|[1-9]\d{0,2})\s*,\s*(0|[1-9]\d{0,2})\s*\)$/.exec(value);
    return match?.slice(1).every((part) => Number(part) < 256) ?? false;
  },
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  password: () => true,
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && isDay(value),
  datetime: isDateTime,
  duration: isDuration,
  k8sshortname: (value) => isDns1123Label(value).length === 0,
  k8slongname: (value) => isDns1123Subdomain(value).length === 0,
};

/** As Go's `url.ParseRequestURI`: absolute, or a path from the root. */
function isUri(value: string): boolean {
  if (value === '*') return true;
  const [, scheme, rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*:)?([^?]*)/.exec(value) ?? [];
  if (value === '' || /[\p{Cc}]/u.test(value)) return false;
  if (!rest.startsWith('/')) return scheme !== undefined;
  const [, authority = '', path = rest] = (scheme && /^\/\/([^/]*)(.*)$/s.exec(rest)) || [];
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  return (
    /^(?:\[[\da-f:.%]+\]|(?:[^\s"<>\\^`{|}[\]%:]|%[\da-f]{2})*)(?::\d*)?$/i.test(host) && !/%(?![\da-f]{2})/i.test(path)
  );
}

const ATOMS = "[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\\.[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+)*";
const namedAddress = /^\s*(?:(?:[^<>@",:;]|"(?:[^"\\]|\\.)*")*<([^<>]*)>|([^<>]*?))\s*$/;
const address = new RegExp(`^(?:${ATOMS}|"(?:[^"\\\\]|\\\\.)*")@(?:${ATOMS}|\\[[\\d.:a-fA-F]+\\])$`, 'u');

/** An address of RFC 5322, with or without a name before it. */
function isEmail(value: string): boolean {
  const [, named, bare = ''] = namedAddress.exec(value) ?? [];
  return address.test(named ?? bare);
}

const SYMBOL = 'a-zA-Z0-9\\p{S}\\p{L}';
const hostname = new RegExp(
  `^(?:[${SYMBOL}](?:-?[${SYMBOL}]{0,62})?|(?:[${SYMBOL}](?:[${SYMBOL}-]{0,61}[${SYMBOL}])?\\.)+[a-zA-Z\\p{L}]{2,63})$`,
  'u',
);

/** One label, or a domain name whose top level is of letters. */
function isHostname(value: string): boolean {
  return (
    value.length <= 255 &&
    hostname.test(value) &&
    Buffer.byteLength(value) <= 255 &&
    value.split('.').every((label) => Buffer.byteLength(label) <= 63)
  );
}

function isDateTime(value: string): boolean {
  const [day = '', time] = value.toLowerCase().split('t');
  const [, hour = '99', minute = '99', second = '99'] =
    /^(\d\d):(\d\d):(\d\d)(?:.\d+)?(?:z|[+-]\d\d:\d\d)$/.exec(time ?? '') ?? [];
  return /^\d{4}-\d\d-\d\d$/.test(day) && isDay(day) && hour <= '23' && minute <= '59' && second <= '59';
}

function isDay(value: string): boolean {
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

const durationUnits = /^(?:ns|nano.*|us|µs|micro.*|ms|milli.*|s|sec.*|m|min.*|h|hr|hour.*|d|day.*|w|wk|week.*)$/;

/** Go's durations (`1h30m`, `1.5s`), and any text with an amount of something (`3 weeks`). */
function isDuration(value: string): boolean {
  if (/^[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(value)) return true;
  return [...value.matchAll(/\d+\s*([A-Za-zµ]+)/g)].some(([, unit = '']) => durationUnits.test(unit.toLowerCase()));
}

function isIsbn10(digits: string): boolean {
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  return (
    [...digits].reduce((sum, digit, index) => sum + (digit === 'X' ? 10 : Number(digit)) * (10 - index), 0) % 11 === 0
  );
}

function isIsbn13(digits: string): boolean {
  return (
    /^\d{13}$/.test(digits) &&
    [...digits].reduce((sum, digit, index) => sum + Number(digit) * (index % 2 ? 3 : 1), 0) % 10 === 0
  );
}

function luhn(digits: string): boolean {
  return (
    [...digits].reverse().reduce((sum, digit, index) => {
      const value = Number(digit) * (index % 2 ? 2 : 1);
      return sum + (value > 9 ? value - 9 : value);
    }, 0) %
      10 ===
    0
  );
}
