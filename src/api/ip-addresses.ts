import ipaddr from 'ipaddr.js';
import { type FieldError, type FieldPath, invalidValue } from '../apimachinery/field.ts';
import { isCIDR, isIP } from '../apimachinery/names.ts';
import { validateLegacyCIDR } from './core/legacy-addresses.ts';

/** Checks for fields that never allowed anything but canonical addresses. */

export function strictIpMessages(text: string): string[] {
  const messages = isIP(text);
  if (messages.length > 0) return messages;
  if (withoutLeadingZeros(text) !== text) return ['must not have leading 0s'];
  const address = ipaddr.parse(text);
  if (isMappedIPv4(address)) return ['must not be an IPv4-mapped IPv6 address'];
  const canonical = canonicalIp(address);
  return canonical === text ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export function validateStrictCidr(path: FieldPath, text: string): FieldError[] {
  const errors = validateLegacyCIDR(path, text);
  const network = networkOf(text);
  return errors.length > 0 || !network ? errors : validateCanonical(path, text, network.text);
}

/** An address with the length of the network it is in, the bits of the host kept. */
export function validateInterfaceAddress(path: FieldPath, text: string): FieldError[] {
  const network = networkOf(text);
  if (!network)
    return [invalidValue(path, text, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')];
  const address = ipaddr.parse(withoutLeadingZeros(text.slice(0, text.indexOf('/'))));
  const length = isMappedIPv4(address) && network.length > 32 ? network.length - 96 : network.length;
  return validateCanonical(path, text, `${canonicalIp(address)}/${length}`);
}

function validateCanonical(path: FieldPath, text: string, canonical: string): FieldError[] {
  return canonical === text
    ? []
    : [invalidValue(path, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

/** About an address that old rules accept and new ones will not. */
export function ipWarnings(path: FieldPath, text: string): string[] {
  if (isIP(text).length > 0) return [];
  const address = ipaddr.parse(withoutLeadingZeros(text));
  const standard = canonicalIp(address);
  if (isMappedIPv4(address) || withoutLeadingZeros(text) !== text)
    return [
      `${path}: non-standard IP address ${JSON.stringify(text)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(standard)}`,
    ];
  return standard === text
    ? []
    : [
        `${path}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(standard)})`,
      ];
}

/** The same of a range. */
export function cidrWarnings(path: FieldPath, text: string): string[] {
  const network = networkOf(text);
  if (!network) return [];
  const host = text.slice(0, text.indexOf('/'));
  const address = ipaddr.parse(withoutLeadingZeros(host));
  const single = `${canonicalIp(address)}/${network.family === 4 ? 32 : 128}`;
  const show = JSON.stringify;
  const warnings: string[] = [];
  if (network.text !== `${canonicalIp(address)}/${network.length}`)
    warnings.push(
      `${path}: CIDR value ${show(text)} is ambiguous in this context (should be ${show(network.text)} or ${show(single)}?)`,
    );
  if (isMappedIPv4(address) || withoutLeadingZeros(host) !== host || /\/0\d/.test(text))
    warnings.push(
      `${path}: non-standard CIDR value ${show(text)} will be considered invalid in a future Kubernetes release: use ${show(network.text)}`,
    );
  const canonical = `${canonicalIp(address)}/${network.length}`;
  if (warnings.length === 0 && network.family === 6 && canonical !== text)
    warnings.push(`${path}: IPv6 CIDR value ${show(text)} should be in RFC 5952 canonical format (${show(canonical)})`);
  return warnings;
}

/** Only the decimal parts: those of an IPv6 address may have them. */
const withoutLeadingZeros = (text: string) =>
  text.includes('.') ? text.replace(/(?<=^|[.:])0+(?=\d+(?:\.|$))/g, '') : text;

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
  const plain = withoutLeadingZeros(host);
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

/** As Go writes it: an IPv4-mapped IPv6 address is an IPv4 one. */
function canonicalIp(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (isMappedIPv4(address)) return (address as ipaddr.IPv6).toIPv4Address().toString();
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

const isMappedIPv4 = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
  address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
