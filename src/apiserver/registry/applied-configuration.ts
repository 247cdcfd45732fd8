import { draft } from '../../apimachinery/json.ts';
import { checkConfiguration, unconvertible } from '../../apimachinery/managed-fields/apply-patch.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { WriteOptions } from '../request/write-options.ts';
import { type DecodeTarget, decodeValue, Undecodable } from './read-object.ts';

/** As the client sent it. */
interface SentConfiguration {
  readonly body: unknown;
  readonly options: Pick<WriteOptions, 'fieldValidation'>;
  readonly problems: readonly string[];
}

/** What an applier wrote: checked as an object of the kind, without defaults. */
export function appliedConfiguration(
  definition: DecodeTarget,
  { body, options: { fieldValidation }, problems }: SentConfiguration,
  context: RequestContext,
): UnstructuredObject {
  const config = draft(body ?? {}) as UnstructuredObject;
  if (typeof config !== 'object' || Array.isArray(config))
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${Array.isArray(config) ? 'array' : typeof config} into Go value of type map[string]interface {}`,
    );
  const { group, version, kind, schema } = definition;
  checkConfiguration(config, { schema, kind, apiVersion: apiVersionOf(group, version) });
  if (problems.length > 0 && fieldValidation === 'Strict')
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${problems.join(', ')}`);
  const { name } = context.info;
  const given = config.metadata?.name;
  if (given && given !== name)
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
  try {
    return decodeValue(config, withoutDefaults(definition), fieldValidation, problems, context.warnings);
  } catch (error) {
    throw error instanceof Undecodable ? unconvertible(config, error.message) : error;
  }
}

function withoutDefaults({ group, version, kind, schema, decoding }: DecodeTarget): DecodeTarget {
  return { group, version, kind, schema, partial: true, ...(decoding ? { decoding } : {}) };
}
