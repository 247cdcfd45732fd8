import ipaddr from 'ipaddr.js';
import type { FieldPath } from '../../apimachinery/field.ts';
import { isCIDR, isIP } from '../../apimachinery/names.ts';
import { withoutLeadingZeros } from './legacy-addresses.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** As Go writes it: an IPv4 address that is mapped into IPv6 is the IPv4 address. */
const form = (address: Address): string => {
  if (address instanceof ipaddr.IPv4) return address.toString();
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
};

const mapped = (address: Address) => address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();

/** Of an address that was let in before addresses had to be strict, or that others would write in another way. */
export function addressWarnings(at: FieldPath, value: string): string[] {
  if (isIP(value).length > 0) return [];
  const plain = withoutLeadingZeros(value);
  const address = ipaddr.parse(plain);
  const wanted = form(address);
  if (plain !== value || mapped(address))
    return [
      `${at}: non-standard IP address ${JSON.stringify(value)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(wanted)}`,
    ];
  return address.kind() === 'ipv6' && wanted !== value
    ? [
        `${at}: IPv6 address ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(wanted)})`,
      ]
    : [];
}

export function rangeWarnings(at: FieldPath, value: string): string[] {
  if (isCIDR(value).length > 0) return [];
  const [host = '', bits = ''] = value.split('/');
  const plain = withoutLeadingZeros(host);
  const address = ipaddr.parse(plain);
  const width = address.toByteArray().length * 8;
  const length = Number(bits);
  const network = networkOf(address, length);
  const range = mapped(address) ? `${form(network)}/${length - 96}` : `${form(network)}/${length}`;
  const warnings: string[] = [];
  if (form(network) !== form(address)) {
    const single = mapped(address) ? `${form(address)}/32` : `${form(address)}/${width}`;
    warnings.push(
      `${at}: CIDR value ${JSON.stringify(value)} is ambiguous in this context (should be ${JSON.stringify(range)} or ${JSON.stringify(single)}?)`,
    );
  }
  if (plain !== host || /^0\d/.test(bits) || mapped(address))
    warnings.push(
      `${at}: non-standard CIDR value ${JSON.stringify(value)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(range)}`,
    );
  else if (address.kind() === 'ipv6' && `${form(address)}/${length}` !== value)
    warnings.push(
      `${at}: IPv6 CIDR value ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(`${form(address)}/${length}`)})`,
    );
  return warnings;
}

function networkOf(address: Address, length: number): Address {
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return ipaddr.fromByteArray(bytes);
}
