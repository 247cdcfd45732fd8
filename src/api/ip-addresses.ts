import ipaddr from 'ipaddr.js';
import { type FieldError, type FieldPath, invalidValue } from '../apimachinery/field.ts';
import { isCIDR, isIP } from '../apimachinery/names.ts';
import { invalidFor } from './field-checks.ts';

/** Strict checks, for fields that never allowed anything but canonical addresses. */

export function strictIpMessages(text: string): string[] {
  const messages = isIP(text);
  if (messages.length > 0) return messages;
  // Leading zeros pass the lenient check and fail this one.
  if (!ipaddr.isValid(text) || /(^|\.)0\d/.test(text)) return isIP('');
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
    return ['must not be an IPv4-mapped IPv6 address'];
  const canonical = canonicalIp(address);
  return canonical === text ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export function validateStrictCidr(path: FieldPath, text: string): FieldError[] {
  const messages = isCIDR(text);
  if (messages.length > 0) return invalidFor(path, text, messages);
  const [host = '', length = ''] = text.split('/');
  if (!ipaddr.isValid(host) || /(^|\.)0\d/.test(host)) return invalidFor(path, text, isCIDR(''));
  const address = ipaddr.parse(host);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
    return [invalidValue(path, text, 'must not have an IPv4-mapped IPv6 address')];
  const canonical = `${canonicalIp(address)}/${Number(length)}`;
  if (networkOf(text)?.text !== canonical)
    return [invalidValue(path, text, 'must not have bits set beyond the prefix length')];
  return canonical === text
    ? []
    : [invalidValue(path, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

export interface Network {
  readonly family: 4 | 6;
  readonly length: number;
  /** The network's first address and length, canonical. */
  readonly text: string;
  contains(other: Network): boolean;
}

/** The network that a CIDR's address is in; `undefined` when it is no CIDR. */
export function networkOf(cidr: string): Network | undefined {
  if (isCIDR(cidr).length > 0) return undefined;
  const [host = '', lengthText = ''] = cidr.split('/');
  const plain = host.replace(/(^|\.)0+(?=\d)/g, '$1');
  const length = Number(lengthText);
  const address = ipaddr.parse(plain);
  const family = address.kind() === 'ipv4' ? 4 : 6;
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  const start = ipaddr.fromByteArray(bytes);
  return {
    family,
    length,
    text: `${canonicalIp(start)}/${length}`,
    contains: (other) =>
      other.family === family &&
      networkOf(`${other.text.split('/')[0]}/${length}`)?.text === `${canonicalIp(start)}/${length}`,
  };
}

/** Endpoints must be addresses that traffic can be sent to: not unspecified, loopback or link-local. */
export function validateNonSpecialIp(path: FieldPath, text: string): FieldError[] {
  if (isIP(text).length > 0) return [invalidValue(path, text, 'must be a valid IP address')];
  const address = ipaddr.parse(text.replace(/(^|\.)0+(?=\d)/g, '$1'));
  const range = address.range();
  const linkLocalMulticast =
    range === 'multicast' &&
    (address instanceof ipaddr.IPv6 ? (address.parts[0] ?? 0) % 0x10 === 2 : address.toString().startsWith('224.0.0.'));
  if (range === 'unspecified') return [invalidValue(path, text, 'may not be unspecified (0.0.0.0 or ::)')];
  if (range === 'loopback')
    return [invalidValue(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')];
  if (range === 'linkLocal')
    return [invalidValue(path, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  if (linkLocalMulticast)
    return [invalidValue(path, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')];
  return [];
}

function canonicalIp(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}
