import type { KindDefinition } from '../../api/kind.ts';
import { schemaOf, schemaOfKind } from '../../api/schema.ts';
import type { FieldSchema, Schema } from '../../apimachinery/schema.ts';

/** Whether the kind comes with the program: then its documents are the same at every start. */
export function isBuiltin({ group, version, kind, schema }: KindDefinition): boolean {
  return schemaOfKind(group, version, kind) === schema;
}

/** The kind's schema under its OpenAPI name; what a CRD does not say of every object is filled in. */
export function kindSchema(definition: KindDefinition): Schema {
  const { schema } = definition;
  if (isBuiltin(definition)) return schema;
  const { group, version, kind } = definition;
  const fields = () => {
    const own = new Map<string, FieldSchema>(schema.fields?.() ?? []);
    own.set('apiVersion', { schema: { type: 'string' } });
    own.set('kind', { schema: { type: 'string' } });
    own.set('metadata', { schema: schemaOf('meta.v1.ObjectMeta') });
    return own;
  };
  return {
    ...schema,
    type: 'object',
    name: definitionName(group, version, kind),
    gvk: { group, version, kind },
    fields,
  };
}

export function listSchema(definition: KindDefinition): Schema {
  const { group, version, listKind } = definition;
  const builtin = schemaOfKind(group, version, listKind);
  if (builtin) return builtin;
  const item = kindSchema(definition);
  const fields = new Map<string, FieldSchema>([
    ['apiVersion', { schema: { type: 'string' } }],
    ['items', { schema: { type: 'list', items: () => item }, required: true }],
    ['kind', { schema: { type: 'string' } }],
    ['metadata', { schema: schemaOf('meta.v1.ListMeta') }],
  ]);
  return {
    type: 'object',
    name: definitionName(group, version, listKind),
    gvk: { group, version, kind: listKind },
    fields: () => fields,
  };
}

/** `stable.example.com` `v1` `CronTab` is `com.example.stable.v1.CronTab`. */
function definitionName(group: string, version: string, kind: string): string {
  return [...group.split('.').reverse(), version, kind].join('.');
}
