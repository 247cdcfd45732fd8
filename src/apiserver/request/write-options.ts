import { type FieldError, FieldPath, invalidValue, notSupported, tooLong } from '../../apimachinery/field.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import { managerOf, type RequestContext } from './request-context.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** The query of a create, update or patch. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** As the client gave them, for admission. */
  readonly given: { readonly [key: string]: unknown };
}

/** Throws StatusError 422 for values that make no sense. `kind`: CreateOptions, UpdateOptions, PatchOptions. */
export function parseWriteOptions(context: RequestContext, kind: string): WriteOptions {
  const { query } = context;
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  const given = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const errors = [
    ...dryRunErrors(dryRun),
    ...managerErrors(given),
    ...(['', 'Strict', 'Warn', 'Ignore'].includes(validation)
      ? []
      : [notSupported(FieldPath.of('fieldValidation'), validation, ['', 'Ignore', 'Strict', 'Warn'])]),
  ];
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: managerOf(context),
    fieldValidation: (validation || 'Warn') as FieldValidation,
    given: {
      kind,
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun.length ? { dryRun } : {}),
      ...(given ? { fieldManager: given } : {}),
      ...(validation ? { fieldValidation: validation } : {}),
    },
  };
}

export function dryRunErrors(values: readonly string[]): FieldError[] {
  return values.every((value) => value === 'All') ? [] : [notSupported(FieldPath.of('dryRun'), values, ['All'])];
}

function managerErrors(manager: string): FieldError[] {
  const path = FieldPath.of('fieldManager');
  if (manager.length > 128) return [tooLong(path, 128)];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: printable characters are what is asked for
  return /[\u0000-\u001f\u007f]/.test(manager)
    ? [invalidValue(path, manager, 'should only contain printable characters')]
    : [];
}
