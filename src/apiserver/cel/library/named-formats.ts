import { type Environment, Optional } from '@marcbachmann/cel-js';
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isQualifiedName,
} from '../../../apimachinery/names.ts';
import { formatCheck } from '../../custom-resources/validation/formats.ts';

class FormatValue {
  readonly check: (text: string) => readonly string[];

  constructor(check: (text: string) => readonly string[]) {
    this.check = check;
  }
}

class FormatNamespace {}

const prefixed = (check: (text: string) => string[]) => (text: string) =>
  check(text.endsWith('-') ? `${text.slice(0, -1)}a` : text);
const yes = (format: string, message: string) => (text: string) => (formatCheck(format)!(text) ? [] : [message]);

const formats: Readonly<Record<string, (text: string) => readonly string[]>> = {
  dns1123Label: isDns1123Label,
  dns1123Subdomain: isDns1123Subdomain,
  dns1035Label: isDns1035Label,
  qualifiedName: isQualifiedName,
  dns1123LabelPrefix: prefixed(isDns1123Label),
  dns1123SubdomainPrefix: prefixed(isDns1123Subdomain),
  dns1035LabelPrefix: prefixed(isDns1035Label),
  labelValue: isLabelValue,
  uri: yes('uri', 'invalid URI'),
  uuid: yes('uuid', 'does not match the UUID format'),
  byte: yes('byte', 'invalid base64'),
  date: yes('date', 'invalid date'),
  datetime: yes('datetime', 'invalid datetime'),
};

/** `format.dns1123Label().validate(name)`: what is wrong, or nothing. */
export function registerNamedFormats(environment: Environment): void {
  const type = 'kubernetes.NamedFormat';
  environment.registerType(type, { ctor: FormatValue as never });
  environment.registerType('FormatNamespace', FormatNamespace as never);
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace() as never);
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  for (const [name, check] of Object.entries(formats))
    add(`FormatNamespace.${name}(): ${type}`, () => new FormatValue(check));
  add(`FormatNamespace.named(string): optional<${type}>`, (_: unknown, name: string) =>
    Object.hasOwn(formats, name) ? Optional.of(new FormatValue(formats[name]!)) : Optional.none(),
  );
  add(`${type}.validate(string): optional<list<string>>`, ({ check }: FormatValue, text: string) => {
    const messages = check(text);
    return messages.length ? Optional.of([...messages]) : Optional.none();
  });
  environment.registerOperator(
    `${type} == ${type}`,
    ((a: FormatValue, b: FormatValue) => a.check === b.check) as never,
  );
}
