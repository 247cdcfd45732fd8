import type { Environment } from '@marcbachmann/cel-js';
import ipaddr from 'ipaddr.js';
import { isCIDR, isIP } from '../../../apimachinery/names.ts';

export class IpValue {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;

  constructor(address: ipaddr.IPv4 | ipaddr.IPv6) {
    this.address = address;
  }

  toString(): string {
    return this.address instanceof ipaddr.IPv6 ? this.address.toRFC5952String() : this.address.toString();
  }
}

export class CidrValue {
  readonly ip: IpValue;
  readonly length: number;

  constructor(ip: IpValue, length: number) {
    this.ip = ip;
    this.length = length;
  }

  contains(ip: IpValue): boolean {
    return (
      ip.address.kind() === this.ip.address.kind() &&
      (ip.address as ipaddr.IPv4).match(this.ip.address as ipaddr.IPv4, this.length)
    );
  }

  masked(): CidrValue {
    const bytes = this.ip.address.toByteArray().map((byte, index) => {
      const kept = Math.min(8, Math.max(0, this.length - index * 8));
      return byte & (0xff << (8 - kept)) & 0xff;
    });
    return new CidrValue(new IpValue(ipaddr.fromByteArray(bytes)), this.length);
  }

  toString(): string {
    return `${this.ip}/${this.length}`;
  }
}

class IpNamespace {}

/** `ip('10.0.0.1')`, `cidr('10.0.0.0/8')`. */
export function registerNetworkAddresses(environment: Environment): void {
  const ip = 'net.IP';
  const cidr = 'net.CIDR';
  environment.registerType(ip, { ctor: IpValue as never });
  environment.registerType(cidr, { ctor: CidrValue as never });
  environment.registerType('IpNamespace', IpNamespace as never);
  environment.registerConstant('ip', 'IpNamespace', new IpNamespace() as never);
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  add(`ip(string): ${ip}`, parseIp);
  add('isIP(string): bool', (text: string) => tryParse(parseIp, text) !== undefined);
  add('IpNamespace.isCanonical(string): bool', (_: unknown, text: string) => parseIp(text).toString() === text);
  add(`${ip}.family(): int`, (a: IpValue) => (a.address.kind() === 'ipv4' ? 4n : 6n));
  const range = (a: IpValue) => a.address.range();
  add(`${ip}.isUnspecified(): bool`, (a: IpValue) => range(a) === 'unspecified');
  add(`${ip}.isLoopback(): bool`, (a: IpValue) => range(a) === 'loopback');
  add(`${ip}.isLinkLocalUnicast(): bool`, (a: IpValue) => range(a) === 'linkLocal');
  add(`${ip}.isLinkLocalMulticast(): bool`, isLinkLocalMulticast);
  add(
    `${ip}.isGlobalUnicast(): bool`,
    (a: IpValue) => !['unspecified', 'loopback', 'linkLocal', 'multicast', 'broadcast'].includes(range(a)),
  );
  add(`string(${ip}): string`, String);
  add(`string(${cidr}): string`, String);
  environment.registerOperator(`${ip} == ${ip}`, ((a: IpValue, b: IpValue) => String(a) === String(b)) as never);
  environment.registerOperator(
    `${cidr} == ${cidr}`,
    ((a: CidrValue, b: CidrValue) => String(a) === String(b)) as never,
  );

  add(`cidr(string): ${cidr}`, parseCidr);
  add('isCIDR(string): bool', (text: string) => tryParse(parseCidr, text) !== undefined);
  add(`${cidr}.containsIP(${ip}): bool`, (a: CidrValue, b: IpValue) => a.contains(b));
  add(`${cidr}.containsIP(string): bool`, (a: CidrValue, b: string) => a.contains(parseIp(b)));
  const containsCidr = (a: CidrValue, b: CidrValue) => b.length >= a.length && a.contains(b.ip);
  add(`${cidr}.containsCIDR(${cidr}): bool`, containsCidr);
  add(`${cidr}.containsCIDR(string): bool`, (a: CidrValue, b: string) => containsCidr(a, parseCidr(b)));
  add(`${cidr}.ip(): ${ip}`, (a: CidrValue) => a.ip);
  add(`${cidr}.masked(): ${cidr}`, (a: CidrValue) => a.masked());
  add(`${cidr}.prefixLength(): int`, (a: CidrValue) => BigInt(a.length));
}

function parseIp(text: string): IpValue {
  if (isIP(text).length > 0 || !ipaddr.isValid(text) || /(^|\.)0\d/.test(text) || text.includes('%'))
    throw new Error(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
    throw new Error(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new IpValue(address);
}

function parseCidr(text: string): CidrValue {
  if (isCIDR(text).length > 0)
    throw new Error(
      `network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): ${prefixFault(text)}`,
    );
  const [host = '', length = ''] = text.split('/');
  return new CidrValue(parseIp(host), Number(length));
}

function prefixFault(text: string): string {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return "no '/'";
  const [host, bits] = [text.slice(0, slash), text.slice(slash + 1)];
  if (isIP(host).length > 0) return `ParseAddr(${JSON.stringify(host)}): unable to parse IP`;
  return /^(0|[1-9]\d{0,2})$/.test(bits)
    ? 'prefix length out of range'
    : `bad bits after slash: ${JSON.stringify(bits)}`;
}

function tryParse<T>(parse: (text: string) => T, text: string): T | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function isLinkLocalMulticast({ address }: IpValue): boolean {
  if (address instanceof ipaddr.IPv6) return address.range() === 'multicast' && (address.parts[0] ?? 0) % 0x10 === 2;
  return address.toString().startsWith('224.0.0.');
}
