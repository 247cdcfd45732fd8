import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import { nameColumn } from '../columns.ts';
import { createdAtColumn } from '../created-at-column.ts';
import { defineKind } from '../define.ts';
import { immutable, requiredOneOf, semanticEqual } from '../field-checks.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../types/apiextensions.v1.gen.ts';
import { webhookServicePort } from '../webhook-client-config.ts';
import { validateApproval } from './approval.ts';
import { validateConversion } from './conversion.ts';
import { validateNames, validateSpecNames } from './names.ts';
import { validateOpenApiSchema } from './openapi-schema.ts';
import { validateStructuralSchema } from './structural-schema.ts';
import { validatePrinterColumn, validateSelectableFields, validateSubresources } from './subresources.ts';

const spec = FieldPath.of('spec');
const versionsPath = spec.child('versions');
const storedPath = FieldPath.of('status', 'storedVersions');

export const customResourceDefinition = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: setDefaults,
  prepareForCreate: addStorageVersion,
  prepareForUpdate: addStorageVersion,
  validate: (object) => [
    ...validateObjectName(object),
    ...validateSpec(object.spec ?? ({} as CustomResourceDefinitionSpec)),
    ...validateStoredVersions(object),
  ],
  validateCreate: (object) => [...validateApproval(object), ...validatePreserveUnknownFields(object)],
  validateUpdate: (object, old) => [
    ...validateSpecUpdate(object, old),
    ...validateApproval(object, old),
    ...(old.spec?.preserveUnknownFields ? [] : validatePreserveUnknownFields(object)),
  ],
  subresources: {
    status: {
      prepareForUpdate: (object, old) => {
        object.spec = draft(old.spec);
      },
      validateUpdate: (object) => [
        ...validateNames(FieldPath.of('status', 'acceptedNames'), object.status?.acceptedNames ?? {}),
        ...validateStoredVersions(object),
      ],
    },
  },
  columns: [nameColumn, createdAtColumn],
});

export function isCrdConditionTrue({ status }: CustomResourceDefinition, type: string): boolean {
  return (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

function setDefaults({ spec }: Draft<CustomResourceDefinition>): void {
  if (!spec) return;
  if (spec.names) {
    spec.names.singular ||= spec.names.kind?.toLowerCase();
    if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= webhookServicePort;
}

/** Whatever version objects are stored in from now on is remembered until a migration removes it. */
function addStorageVersion(object: Draft<CustomResourceDefinition>): void {
  const storage = object.spec?.versions?.find((version) => version.storage)?.name;
  if (!storage) return;
  object.status ??= {};
  object.status.storedVersions ??= [];
  if (!object.status.storedVersions.includes(storage)) object.status.storedVersions.push(storage);
}

function validateObjectName({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  if (metadata.name === `${spec?.names?.plural ?? ''}.${spec?.group ?? ''}`) return [];
  return [invalidValue(FieldPath.of('metadata', 'name'), metadata.name, 'must be spec.names.plural+"."+spec.group')];
}

function validateSpec(crd: CustomResourceDefinitionSpec): FieldError[] {
  const { versions = [] } = crd;
  return [
    ...validateGroup(crd.group),
    ...requiredOneOf(spec.child('scope'), crd.scope, ['Cluster', 'Namespaced']),
    ...validateVersions(versions),
    ...validateSpecNames(spec.child('names'), crd.names ?? {}),
    ...validateConversion(spec.child('conversion'), crd.conversion),
  ];
}

function validateGroup(group: string | undefined): FieldError[] {
  const path = spec.child('group');
  if (!group) return [required(path)];
  const messages = isDns1123Subdomain(group);
  if (messages.length > 0) return [invalidValue(path, group, messages.join(','))];
  return group.includes('.') ? [] : [invalidValue(path, group, 'should be a domain with at least one dot')];
}

function validateVersions(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  // What all versions share is reported once, under the name that it had when CRDs had one version.
  const shared = (pick: (version: CustomResourceDefinitionVersion) => unknown) =>
    versions.every((version) => pick(version) !== undefined && semanticEqual(pick(version), pick(versions[0]!)));
  const places = {
    schema: shared((version) => version.schema) ? spec.child('validation') : undefined,
    subresources: shared((version) => version.subresources) ? spec.child('subresources') : undefined,
    additionalPrinterColumns: shared((version) => version.additionalPrinterColumns)
      ? spec.child('additionalPrinterColumns')
      : undefined,
    selectableFields: shared((version) => version.selectableFields) ? spec.child('selectableFields') : undefined,
  };
  const errors = versions.flatMap((version, index) => validateVersion(index, version, places));
  const names = versions.map(({ name }) => name);
  if (new Set(names).size !== names.length)
    errors.push(invalidValue(versionsPath, versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(invalidValue(versionsPath, versions, 'must have exactly one version marked as storage version'));
  return errors;
}

type VersionPart = 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields';

function validateVersion(
  index: number,
  version: CustomResourceDefinitionVersion,
  shared: Readonly<Record<VersionPart, FieldPath | undefined>>,
): FieldError[] {
  const path = versionsPath.index(index);
  const errors: FieldError[] = [];
  const nameMessages = isDns1035Label(version.name ?? '');
  if (nameMessages.length > 0) errors.push(invalidValue(path.child('name'), version.name, nameMessages.join(',')));
  for (const message of deprecationMessages(version))
    errors.push(invalidValue(path.child('deprecationWarning'), version.deprecationWarning, message));
  const schema = version.schema?.openAPIV3Schema;
  if (!schema) errors.push(required(path.child('schema', 'openAPIV3Schema')));

  const check = (part: VersionPart, validate: (at: FieldPath) => FieldError[]) => {
    const at = shared[part];
    if (at && index > 0) return;
    errors.push(...validate(at ?? path.child(part)));
  };
  check('schema', (at) =>
    schema ? validateSchema(at.child('openAPIV3Schema'), schema, version.subresources?.status !== undefined) : [],
  );
  check('subresources', (at) => validateSubresources(at, version.subresources));
  check('additionalPrinterColumns', (at) =>
    (version.additionalPrinterColumns ?? []).flatMap((column, i) => validatePrinterColumn(at.index(i), column)),
  );
  check('selectableFields', (at) => validateSelectableFields(at, version.selectableFields ?? [], schema));
  return errors;
}

function deprecationMessages({ deprecated, deprecationWarning: warning }: CustomResourceDefinitionVersion): string[] {
  if (warning === undefined) return [];
  if (!deprecated) return ['can only be set for deprecated versions'];
  const messages: string[] = [];
  if (Buffer.byteLength(warning) > 256) messages.push('must be <= 256 characters long');
  if (warning === '') messages.push('must not be an empty string');
  const unprintable = warning.search(/[\p{C}\p{Zl}\p{Zp}]/u);
  if (unprintable >= 0)
    messages.push(
      `must only contain printable UTF-8 characters; non-printable character found at index ${Buffer.byteLength(warning.slice(0, unprintable))}`,
    );
  return messages;
}

const allowedAtRoot = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum', 'ExclusiveMinimum'],
  ...['MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf', 'Required', 'Enum'],
  ...['Items', 'Properties', 'ExternalDocs', 'Example', 'XPreserveUnknownFields', 'XValidations'],
];
const forbiddenAtRoot = [
  ...['allOf', 'anyOf', 'oneOf', 'not', 'additionalProperties', 'default', 'nullable'],
  ...['x-kubernetes-embedded-resource', 'x-kubernetes-int-or-string', 'x-kubernetes-map-type'],
] as const;

function validateSchema(path: FieldPath, schema: JSONSchemaProps, hasStatus: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (hasStatus) {
    if (schema.type !== undefined && schema.type !== 'object')
      errors.push(
        invalidValue(
          path.child('type'),
          schema.type,
          'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
        ),
      );
    // The status is checked by the part of the schema below it, which a condition at the root would escape.
    if (forbiddenAtRoot.some((keyword) => schema[keyword] !== undefined && schema[keyword] !== false))
      errors.push(
        invalidValue(
          path,
          schema,
          `only [${allowedAtRoot.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`,
        ),
      );
  }
  if (schema.nullable) errors.push(forbiddenField(path.child('nullable'), 'nullable cannot be true at the root'));
  return [...errors, ...validateStructuralSchema(path, schema), ...validateOpenApiSchema(path, schema)];
}

function validateStoredVersions({ spec, status }: CustomResourceDefinition): FieldError[] {
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalidValue(storedPath, stored, 'must have at least one stored version')];
  const versions = spec?.versions ?? [];
  const errors = versions
    .filter(({ name, storage }) => storage && !stored.includes(name))
    .map(({ name }) => invalidValue(storedPath, stored, `must have the storage version ${name}`));
  stored.forEach((name, index) => {
    if (!versions.some((version) => version.name === name))
      errors.push(
        invalidValue(
          storedPath.index(index),
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      );
  });
  return errors;
}

function validatePreserveUnknownFields({ spec: crd }: CustomResourceDefinition): FieldError[] {
  return crd?.preserveUnknownFields
    ? [
        invalidValue(
          spec.child('preserveUnknownFields'),
          true,
          'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
        ),
      ]
    : [];
}

/** Where objects are stored may not change, nor, once it is served, what they are called. */
function validateSpecUpdate(object: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const established = isCrdConditionTrue(old, 'Established');
  const now = object.spec ?? ({} as CustomResourceDefinitionSpec);
  const was = old.spec ?? ({} as CustomResourceDefinitionSpec);
  return [
    ...(established
      ? [
          ...immutable(spec.child('scope'), now.scope, was.scope),
          ...immutable(spec.child('names', 'kind'), now.names?.kind, was.names?.kind),
        ]
      : []),
    ...immutable(spec.child('group'), now.group, was.group),
    ...immutable(spec.child('names', 'plural'), now.names?.plural, was.names?.plural),
  ];
}
