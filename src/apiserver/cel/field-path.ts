import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { additionalPropertiesSchema } from '../custom-resources/schema/schema-parts.ts';

const STEP = /\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)+)'\]/y;

/** Whether a rule's `fieldPath` (`.spec.name`, `.labels['a.b']`) leads to a field of the schema; lists have none. */
export function isFieldPath(props: JSONSchemaProps, path: string): boolean {
  const text = /^[.[]/.test(path) ? path : `.${path}`;
  let at: JSONSchemaProps | undefined = props;
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const [step, plain, quoted] = STEP.exec(text) ?? [];
    if (step === undefined || !at) return false;
    const name: string = plain ?? quoted!.replace(/\\(.)/g, '$1');
    at = at.properties && Object.hasOwn(at.properties, name) ? at.properties[name] : additionalPropertiesSchema(at);
    if (!at) return false;
  }
  return text.length > 0;
}
