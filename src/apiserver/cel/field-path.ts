import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { additionalPropertiesSchema } from '../custom-resources/schema/schema-parts.ts';

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  "'": "'",
  '\\': '\\',
};

/** Dots, brackets, quoted texts and what is between them. */
const TOKEN = /'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]']+|'/gs;

const noField = 'does not refer to a valid field';

export interface FieldStep {
  readonly name: string;
  /** A field of an object, no key of a map. */
  readonly isField: boolean;
}

/** The way that a rule's `fieldPath` (`.spec.name`, `.labels['a.b']`) goes through a schema; lists have none. Throws an Error where it ends. */
export function fieldPathSteps(props: JSONSchemaProps, path: string): readonly FieldStep[] {
  const tokens = path.match(TOKEN) ?? [];
  const steps: FieldStep[] = [];
  let at: JSONSchemaProps | undefined = props;
  let next = 0;
  const take = () => {
    const token = tokens[next++];
    if (token === undefined) throw new Error('unexpected end of JSON path');
    return token;
  };
  const step = (name: string) => {
    const isField: boolean = at?.properties !== undefined;
    const below: JSONSchemaProps | undefined = isField
      ? Object.hasOwn(at!.properties!, name)
        ? at!.properties![name]
        : undefined
      : at && additionalPropertiesSchema(at);
    if (!below) throw new Error(noField);
    steps.push({ name, isField });
    at = below;
  };
  while (next < tokens.length) {
    const token = take();
    if (token === '.') step(take());
    else if (token === '[') {
      const quoted = take();
      if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'"))
        throw new Error(`expected single quoted string but got ${quoted}`);
      const name = quoted.slice(1, -1).replace(/\\(.)/gs, (written, letter: string) => {
        if (!(letter in escapes)) throw new Error(`invalid string literal: invalid escape char ${written}`);
        return escapes[letter]!;
      });
      step(name);
      const end = take();
      if (end !== ']') throw new Error(`expected ] but got ${end}`);
    } else throw new Error(`expected [ or . but got: ${token}`);
  }
  return steps;
}
