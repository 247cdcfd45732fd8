import { describe, expect, it } from 'vitest';
import { FieldError } from '../apimachinery/field.ts';
import { draft } from '../apimachinery/json.ts';
import type { Schema } from '../apimachinery/schema.ts';
import { applyDefaults } from '../apimachinery/typecheck.ts';
import { builtinKinds } from './builtin.ts';

/** An object of the schema's types, with every field down to the depth `fill`. */
function sample(schema: Schema, fill: number, text: string): unknown {
  switch (schema.type) {
    case 'object': {
      // Required structs, numbers and booleans have a zero value: decoding fills them in.
      const fields = [...(schema.fields?.() ?? [])].filter(
        ([, field]) =>
          fill > 0 || (field.required && ['object', 'boolean', 'int32', 'int64'].includes(field.schema.type)),
      );
      return Object.fromEntries(fields.map(([name, field]) => [name, sample(field.schema, fill - 1, text)]));
    }
    case 'list':
      return fill > 0 && schema.items ? [sample(schema.items(), fill - 1, text)] : [];
    case 'map':
      return fill > 0 && schema.items ? { [text]: sample(schema.items(), fill - 1, text) } : {};
    case 'boolean':
      return true;
    case 'int32':
    case 'int64':
    case 'integer':
    case 'double':
      return -1;
    case 'quantity':
      return '1';
    case 'time':
    case 'microTime':
      return '2026-01-01T00:00:00Z';
    case 'bytes':
      return '';
    case 'rawObject':
    case 'any':
      return {};
    case 'intOrString':
      return text;
    default:
      return text;
  }
}

/** Types have been checked before a kind's hooks see an object; anything else may be wrong, and nothing may throw. */
describe('hooks of every kind take any object of the right types', () => {
  for (const kind of builtinKinds()) {
    it.each([
      ['bare', () => ({})],
      ['hollow', () => sample(kind.schema, 1, '')],
      ['shallow', () => sample(kind.schema, 3, '')],
      ['deep', () => sample(kind.schema, 12, '')],
      ['odd text', () => sample(kind.schema, 8, '..\u0000/__proto__')],
    ])(`${kind.group || 'core'}/${kind.version} ${kind.kind}, %s`, (_, make) => {
      const fresh = () => {
        const object = draft(make() as { metadata?: object });
        object.metadata = { ...object.metadata, name: 'x' } as object;
        applyDefaults(object, kind.schema);
        kind.default?.(object);
        return object;
      };
      const created = fresh();
      kind.prepareForCreate?.(created);
      const updated = fresh();
      kind.prepareForUpdate?.(updated, created);
      const errors = kind.validate?.(created) ?? [];
      expect(errors.every((error) => error instanceof FieldError)).toBe(true);
      expect(Array.isArray(kind.validateCreate?.(created) ?? [])).toBe(true);
      expect(Array.isArray(kind.validateUpdate?.(updated, created) ?? [])).toBe(true);
      kind.subresources.status?.prepareForUpdate?.(updated, created);
      expect(Array.isArray(kind.subresources.status?.validateUpdate?.(updated, created) ?? [])).toBe(true);
      kind.warnings?.(updated, created);
      if (errors.length > 0) return;
      // What is valid is stored, and so printed and selected.
      for (const column of kind.columns) expect(column.value(created, 0)).not.toBeUndefined();
      for (const value of Object.values(kind.selectableFields)) expect(typeof value(created)).toBe('string');
      kind.gracePeriod?.(created, undefined);
      kind.subresources.scale?.selector(created);
      kind.subresources.scale?.getReplicas(created);
    });
  }
});
