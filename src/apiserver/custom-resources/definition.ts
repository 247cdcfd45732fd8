import type { KindDefinition } from '../../api/kind.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { FieldError } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject, Verb } from '../../apimachinery/meta.ts';
import { applyDefaults } from '../../apimachinery/typecheck.ts';
import { fieldAt, setFieldAt, stepsOf } from './object-fields.ts';
import { printerColumns } from './printer-columns.ts';
import { conforms, structuralDecoding } from './schema/decode-object.ts';
import { structuralSchema } from './schema/structural-schema.ts';
import { CustomResourceValidator, type MakeRules } from './validation/custom-resource-validator.ts';

/** Converts objects to another version of their kind: a conversion webhook. */
export type Converter = (
  objects: readonly UnstructuredObject[],
  apiVersion: string,
) => Promise<readonly UnstructuredObject[]>;

const verbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** A kind for each served version of a CRD whose names are accepted. `convert` is there when a webhook converts. */
export function customKinds(
  crd: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  convert: Converter | undefined,
  makeRules: MakeRules | undefined,
): readonly KindDefinition<UnstructuredObject>[] {
  const storageVersion = crd.spec.versions.find(({ storage }) => storage)!.name;
  return crd.spec.versions
    .filter(({ served }) => served)
    .map((version) => customKind(crd, names, version, storageVersion, convert, makeRules));
}

function customKind(
  crd: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: CustomResourceDefinitionVersion,
  storageVersion: string,
  convert: Converter | undefined,
  makeRules: MakeRules | undefined,
): KindDefinition<UnstructuredObject> {
  const { group, scope } = crd.spec;
  const { kind, plural } = names;
  const props: JSONSchemaProps = version.schema?.openAPIV3Schema ?? { 'x-kubernetes-preserve-unknown-fields': true };
  const schema = structuralSchema(props, { group, version: version.name, kind });
  const decoding = structuralDecoding(schema);
  const apiVersion = `${group}/${version.name}`;
  const storedVersion = `${group}/${storageVersion}`;
  const status = version.subresources?.status !== undefined;
  const validator = new CustomResourceValidator(props, schema, hasRules(version) ? makeRules : undefined);
  const terminating = crd.metadata.deletionTimestamp !== undefined;

  const replica = (path: string) => stepsOf(path);
  const scale = version.subresources?.scale;
  const setVersion = (object: Draft<UnstructuredObject>, to: string) => {
    object.apiVersion = to;
    return object;
  };
  return {
    group,
    version: version.name,
    kind,
    listKind: names.listKind || `${kind}List`,
    resource: plural,
    singular: names.singular || kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    verbs: terminating ? verbs.filter((verb) => verb !== 'create') : verbs,
    schema,
    decoding,
    storage: {
      group,
      version: storageVersion,
      resource: plural,
      toStorage: (object) =>
        convert
          ? convert([object as UnstructuredObject], storedVersion).then(
              ([converted]) => draft(converted) as Draft<UnstructuredObject>,
            )
          : setVersion(object, storedVersion),
      fromStorage(object) {
        setVersion(object, apiVersion);
        decoding(object);
        applyDefaults(object, schema);
        return object;
      },
      storesAsIs: (object) => object.apiVersion === storedVersion,
      servesAsIs: (object) => object.apiVersion === apiVersion && conforms(object, schema),
      ...(convert
        ? {
            async convert(objects) {
              const converted = await convert(objects, apiVersion);
              return converted.map((object) => {
                const served = draft(object) as Draft<UnstructuredObject>;
                decoding(served);
                applyDefaults(served, schema);
                return served as UnstructuredObject;
              });
            },
          }
        : {}),
    },
    nameFormat: 'dns1123Subdomain',
    generation: 'spec',
    requireResourceVersionOnUpdate: true,
    prepareForUpdate(object, old) {
      // Without a status subresource, status is part of what the object is to be.
      if (!status && !deepEqual((object as { status?: unknown }).status, (old as { status?: unknown }).status))
        object.metadata.generation = (old.metadata.generation ?? 0) + 1;
    },
    validateCreate: (object) => validator.validate(object),
    validateUpdate: (object, old) => validator.validate(object, old),
    ...(validator.hasRules
      ? { validateRules: (object, old, found) => validator.validateRules(object, old, found) }
      : {}),
    subresources: {
      ...(status
        ? {
            status: {
              prepareForUpdate(object, old) {
                const { labels, annotations } = draft(old.metadata);
                Object.assign(object.metadata, { labels, annotations });
              },
              validateUpdate: (object, old): FieldError[] => validator.validate(object, old),
            },
          }
        : {}),
      ...(scale
        ? {
            scale: {
              getReplicas: (object) => numberAt(object, replica(scale.specReplicasPath)),
              setReplicas: (object, replicas) => setFieldAt(object, replica(scale.specReplicasPath), replicas),
              statusReplicas: (object) => numberAt(object, replica(scale.statusReplicasPath)) ?? 0,
              selector: (object) => {
                const value = scale.labelSelectorPath ? fieldAt(object, stepsOf(scale.labelSelectorPath)) : undefined;
                return typeof value === 'string' ? value : '';
              },
              specPath: scale.specReplicasPath,
              version: 'autoscaling/v1',
            },
          }
        : {}),
    },
    columns: printerColumns(version.additionalPrinterColumns),
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => {
        const steps = stepsOf(jsonPath);
        return [steps.join('.'), (object: UnstructuredObject) => textOf(fieldAt(object, steps))];
      }),
    ),
  };
}

/** Whether rules in CEL are part of the schema. */
export function hasRules({ schema }: CustomResourceDefinitionVersion): boolean {
  return schema !== undefined && JSON.stringify(schema).includes('"x-kubernetes-validations"');
}

function numberAt(object: UnstructuredObject, steps: readonly string[]): number | undefined {
  const value = fieldAt(object, steps);
  return typeof value === 'number' ? value : undefined;
}

function textOf(value: unknown): string {
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}
