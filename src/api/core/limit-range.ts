import { randomUUID } from 'node:crypto';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import type { Quantity } from '../../apimachinery/quantity.ts';
import { nameColumn } from '../columns.ts';
import { createdAtColumn } from '../created-at-column.ts';
import { defineKind } from '../define.ts';
import { invalidFor } from '../field-checks.ts';
import type { LimitRange, LimitRangeItem } from '../types/core.v1.gen.ts';
import {
  isOvercommitAllowed,
  parseAmount,
  roundResourceList,
  validateContainerResourceName,
  validateResourceName,
} from './pod-spec/resources.ts';

const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

export const limitRange = defineKind<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  createOnUpdate: true,
  default({ spec }) {
    for (const item of spec?.limits ?? []) defaultItem(item);
  },
  // Of all kinds this one alone may come without a name.
  prepareForCreate({ metadata }) {
    metadata.name ||= randomUUID();
  },
  validate: validateLimitRange,
  columns: [nameColumn, createdAtColumn],
});

/** Of containers: the default limit is the maximum, the default request that limit or else the minimum. */
function defaultItem(item: Draft<LimitRangeItem>): void {
  for (const list of lists) if (item[list]) roundResourceList(item[list]);
  if (item.type !== 'Container') return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  item.default = limits;
  item.defaultRequest = requests;
}

function validateLimitRange({ spec }: LimitRange): FieldError[] {
  const path = FieldPath.of('spec', 'limits');
  const types = new Set<string>();
  return (spec?.limits ?? []).flatMap((item, index) => {
    const at = path.index(index);
    const { type = '' } = item;
    const errors = validateType(type, at.child('type'));
    if (types.has(type)) errors.push(duplicate(at.child('type'), type));
    types.add(type);
    return [...errors, ...validateItem(item, at)];
  });
}

const standardTypes = ['Pod', 'Container', 'PersistentVolumeClaim'];

function validateType(type: string, path: FieldPath): FieldError[] {
  const errors = invalidFor(path, type, isQualifiedName(type));
  if (errors.length > 0 || type.includes('/') || standardTypes.includes(type)) return errors;
  return [invalidValue(path, type, 'must be a standard limit type or fully qualified')];
}

function validateItem(item: LimitRangeItem, path: FieldPath): FieldError[] {
  const { type } = item;
  const errors: FieldError[] = [];
  const keys = new Set<string>();
  const validateName = type === 'Pod' || type === 'Container' ? validateContainerResourceName : validateResourceName;
  for (const list of lists) {
    const names = Object.keys(item[list] ?? {});
    if (type === 'Pod' && (list === 'default' || list === 'defaultRequest')) {
      if (names.length > 0) errors.push(forbiddenField(path.child(list), "may not be specified when `type` is 'Pod'"));
      continue;
    }
    if (list === 'maxLimitRequestRatio' && type === 'PersistentVolumeClaim' && !item.min?.storage && !item.max?.storage)
      errors.push(
        required(path.child('limits'), 'either minimum or maximum storage value is required, but neither was provided'),
      );
    for (const name of names) {
      keys.add(name);
      errors.push(...validateName(name, path.child(list).key(name)));
    }
  }
  const compared = type === 'Pod' ? { ...item, default: {}, defaultRequest: {} } : item;
  for (const name of keys) errors.push(...validateOrder(compared, name, path));
  return errors;
}

/** As Go's `%f`. */
function formatRatio(ratio: number): string {
  if (Number.isNaN(ratio)) return 'NaN';
  return Number.isFinite(ratio) ? ratio.toFixed(6) : '+Inf';
}

/** min <= defaultRequest <= default <= max, for one resource. */
function validateOrder(item: LimitRangeItem, name: string, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const min = parseAmount(item.min?.[name]);
  const max = parseAmount(item.max?.[name]);
  const limit = parseAmount(item.default?.[name]);
  const request = parseAmount(item.defaultRequest?.[name]);
  const ratio = parseAmount(item.maxLimitRequestRatio?.[name]);
  const check = (list: string, wrong: boolean | undefined, value: Quantity | undefined, detail: string) => {
    if (wrong) errors.push(invalidValue(path.child(list).key(name), String(value), detail));
  };
  const exceeds = (one: Quantity | undefined, other: Quantity | undefined) => one && other && one.cmp(other) > 0;
  check('min', exceeds(min, max), min, `min value ${min} is greater than max value ${max}`);
  check(
    'defaultRequest',
    exceeds(min, request),
    request,
    `min value ${min} is greater than default request value ${request}`,
  );
  check(
    'defaultRequest',
    exceeds(request, max),
    request,
    `default request value ${request} is greater than max value ${max}`,
  );
  check(
    'defaultRequest',
    exceeds(request, limit),
    request,
    `default request value ${request} is greater than default limit value ${limit}`,
  );
  check('default', exceeds(min, limit), min, `min value ${min} is greater than default value ${limit}`);
  check('default', exceeds(limit, max), max, `default value ${limit} is greater than max value ${max}`);
  if (ratio) {
    const at = path.child('maxLimitRequestRatio').key(name);
    if (ratio.milliValue() < 1000) errors.push(invalidValue(at, ratio.toString(), `ratio ${ratio} is less than 1`));
    if (min && max && ratio.toNumber() > max.toNumber() / min.toNumber())
      errors.push(
        invalidValue(
          at,
          ratio.toString(),
          `ratio ${ratio} is greater than max/min = ${formatRatio(max.toNumber() / min.toNumber())}`,
        ),
      );
  }
  if (!isOvercommitAllowed(name) && limit && request && limit.cmp(request) !== 0)
    errors.push(
      invalidValue(
        path.child('defaultRequest').key(name),
        request.toString(),
        `default value ${limit} must equal to defaultRequest value ${request} in ${name}`,
      ),
    );
  return errors;
}
