import type { Environment } from '@marcbachmann/cel-js';

/** Types of Kubernetes as values, to compare with `type(x)`: `net.IP`, `kubernetes.Quantity`, ... */
export function registerTypeNames(environment: Environment): void {
  const typeOf = (source: string): unknown => environment.evaluate(`type(${source})`);
  const types = (name: string, of: Readonly<Record<string, string>>) =>
    environment.registerConstant(
      name,
      'map<string, type>',
      new Map(Object.entries(of).map(([type, source]) => [type, typeOf(source)])) as never,
    );
  types('net', { IP: 'ip("::")', CIDR: 'cidr("::/0")' });
  types('kubernetes', {
    Quantity: 'quantity("0")',
    URL: 'url("/")',
    Semver: 'semver("0.0.0")',
    NamedFormat: 'format.dns1123Label()',
  });
  const Type = (typeOf('0') as object).constructor as new (name: string) => unknown;
  const optional = new Type('optional_type');
  environment.registerConstant('optional_type', 'type', optional as never);
  environment.registerFunction('type(optional<dyn>): type', (() => optional) as never, { async: false } as never);
}
