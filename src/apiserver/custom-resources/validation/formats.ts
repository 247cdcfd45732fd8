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
  email: matches(/^[^\s@<>"]+@[^\s@<>"]+$/),
  hostname: (value) =>
    value.length <= 253 &&
    /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*\.?$/.test(value),
  ipv4: (value) => isIPv4Address(value).length === 0,
  ipv6: (value) => value.includes(':') && isIPv6Address(value).length === 0,
  cidr: (value) => isCIDR(value).length === 0,
  mac: matches(
    /^([0-9a-f]{2}([:-])([0-9a-f]{2}\2){4}([0-9a-f]{2}\2[0-9a-f]{2}\2)?[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(\.[0-9a-f]{4})?)$/i,
  ),
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  uuid5: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  isbn: (value) => isIsbn10(digitsOf(value)) || isIsbn13(digitsOf(value)),
  isbn10: (value) => isIsbn10(digitsOf(value)),
  isbn13: (value) => isIsbn13(digitsOf(value)),
  creditcard: (value) => /^\d{12,19}$/.test(digitsOf(value)) && luhn(digitsOf(value)),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
  rgbcolor: (value) => {
    const match = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(value);
    return match?.slice(1).every((part) => Number(part) < 256) ?? false;
  },
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  password: () => true,
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && isDay(value),
  datetime: (value) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) &&
    isDay(value.slice(0, 10)) &&
    !Number.isNaN(Date.parse(value)),
  duration: isDuration,
  k8sshortname: (value) => isDns1123Label(value).length === 0,
  k8slongname: (value) => isDns1123Subdomain(value).length === 0,
};

function isUri(value: string): boolean {
  return (
    value !== '' &&
    !/[\s\p{Cc}]/u.test(value) &&
    (URL.canParse(value) || (value.startsWith('/') && URL.canParse(value, 'http://host')))
  );
}

function isDay(value: string): boolean {
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

/** Go's durations (`1h30m`, `1.5s`) and the like with words (`3 weeks`). */
function isDuration(value: string): boolean {
  if (/^[+-]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*)$/.test(value))
    return true;
  return /^\s*[+-]?(\d+\s*(ns|nanos?|us|µs|micros?|ms|millis?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*)+$/i.test(
    value,
  );
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
