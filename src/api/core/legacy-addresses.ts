import ipaddr from 'ipaddr.js';
import { type FieldError, type FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { isCIDR, isIP } from '../../apimachinery/names.ts';

/**
 * Addresses of fields that once took sloppy ones: new values must be strict, values that were there before may stay
 * (`kept`).
 */
export function validateLegacyIP(path: FieldPath, value: string, kept: readonly string[] = []): FieldError[] {
  if (kept.includes(value)) return [];
  const messages = isIP(value);
  if (messages.length === 0) {
    if (hasLeadingZeros(value)) messages.push('must not have leading 0s');
    if (isMappedIPv4(value)) messages.push('must not be an IPv4-mapped IPv6 address');
  }
  return messages.map((message) => invalidValue(path, value, message));
}

export function validateLegacyCIDR(path: FieldPath, value: string, kept: readonly string[] = []): FieldError[] {
  if (kept.includes(value)) return [];
  return cidrMessages(value).map((message) => invalidValue(path, value, message));
}

function cidrMessages(value: string): string[] {
  const messages = isCIDR(value);
  if (messages.length > 0) return messages;
  const [host = '', length = ''] = value.split('/');
  if (hasLeadingZeros(host) || /^0\d/.test(length)) return ['must not have leading 0s in IP or prefix length'];
  if (isMappedIPv4(host)) return ['must not have an IPv4-mapped IPv6 address'];
  const bytes = ipaddr.parse(host).toByteArray();
  const beyond = bytes.some(
    (byte, index) => (byte & (0xff >> Math.min(8, Math.max(0, Number(length) - index * 8)))) > 0,
  );
  return beyond ? ['must not have bits set beyond the prefix length'] : [];
}

/** Of the decimal parts: `010.0.0.1` was once taken for `10.0.0.1`. */
export const withoutLeadingZeros = (address: string): string =>
  address.includes('.') ? address.replace(/(?<=^|[.:])0+(?=\d+(?:\.|$))/g, '') : address;

const hasLeadingZeros = (address: string) => address.includes('.') && /(?:^|[.:])0\d+(?=\.|$)/.test(address);

function isMappedIPv4(address: string): boolean {
  if (!/ffff:/i.test(address)) return false;
  const parsed = ipaddr.parse(withoutLeadingZeros(address));
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress();
}

/** Whether there is an address of each family among them. */
export const isDualStack = (addresses: readonly string[]) =>
  addresses.some((address) => address.includes(':')) && addresses.some((address) => !address.includes(':'));

/** Endpoints and external addresses: none that means this host, everybody on the link, or nobody. */
export function validateEndpointIP(address: string, path: FieldPath): FieldError[] {
  const is = (what: string) => [invalidValue(path, address, what)];
  if (isIP(address).length > 0) return is('must be a valid IP address');
  const parsed = ipaddr.process(withoutLeadingZeros(address));
  const bytes = parsed.toByteArray();
  const linkLocalMulticast =
    bytes.length === 4
      ? bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0
      : bytes[0] === 0xff && ((bytes[1] ?? 0) & 0x0f) === 2;
  if (linkLocalMulticast) return is('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  switch (parsed.range()) {
    case 'unspecified':
      return bytes.every((byte) => byte === 0) ? is(`may not be unspecified (${address})`) : [];
    case 'loopback':
      return is('may not be in the loopback range (127.0.0.0/8, ::1/128)');
    case 'linkLocal':
      return is('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
    default:
      return [];
  }
}
