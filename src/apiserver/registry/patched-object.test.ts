import { describe, expect, it } from 'vitest';
import { schemaOf } from '../../api/schema.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { FieldValidation, WriteOptions } from '../request/write-options.ts';
import { patchedObject } from './patched-object.ts';

const target = { group: 'apps', version: 'v1', kind: 'Deployment', schema: schemaOf('apps.v1.Deployment') };
const old = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 1, paused: true } };

function patch(
  type: string,
  body: unknown,
  { problems = [] as string[], fieldValidation = 'Strict' as FieldValidation } = {},
) {
  const warnings: string[] = [];
  const options = { fieldValidation } as WriteOptions;
  const mediaType = `application/${type}`;
  const object = patchedObject({ mediaType, body, problems, options, force: false }, old, target, warnings);
  return { object, warnings };
}

function refusal(type: string, body: unknown, problems?: string[]) {
  try {
    patch(type, body, { problems });
  } catch (error) {
    if (isStatusError(error)) return error.status;
    throw error;
  }
  throw new Error('the patch was taken');
}

describe('what a patch makes of an object', () => {
  it.each([
    [
      'strategic-merge-patch+json',
      { spec: { foo: 1, replicas: 3 } },
      ['duplicate field "spec.replicas"'],
      '"map[spec:map[foo:1 replicas:3]]": strict decoding error: duplicate field "spec.replicas", unknown field "spec.foo"',
    ],
    [
      'strategic-merge-patch+json',
      { spec: { replicas: 'x' } },
      [],
      '"map[spec:map[replicas:x]]": unrecognized type: int32',
    ],
    [
      'strategic-merge-patch+json',
      { spec: { paused: null, strategy: [1.5, true] } },
      [],
      '"map[spec:map[paused:<nil> strategy:[1.5 true]]]": cannot restore struct from: slice',
    ],
    [
      'merge-patch+json',
      { spec: { paused: null, replicas: 'x' } },
      [],
      '"{\\"apiVersion\\":\\"apps/v1\\",\\"kind\\":\\"Deployment\\",\\"metadata\\":{\\"name\\":\\"d\\"},\\"spec\\":{\\"replicas\\":\\"x\\"}}": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      'json-patch+json',
      [{ op: 'remove', path: '/spec' }],
      ['json patch unknown field "[0].x"'],
      '"{\\"apiVersion\\":\\"apps/v1\\",\\"kind\\":\\"Deployment\\",\\"metadata\\":{\\"name\\":\\"d\\"}}": strict decoding error: json patch unknown field "[0].x"',
    ],
  ])('is refused as an invalid patch when it is no object of the kind: %s %j', (type, body, problems, why) => {
    const message = `Invalid value: ${why}`;
    expect(refusal(type, body, problems)).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: ` "" is invalid: patch: ${message}`,
      details: { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] },
    });
  });

  it('is told of in warnings, or not at all, when it is not to be strict', () => {
    const body = { spec: { foo: 1 } };
    const warned = patch('merge-patch+json', body, { fieldValidation: 'Warn' });
    expect(warned.warnings).toEqual(['unknown field "spec.foo"']);
    expect(warned.object).not.toHaveProperty('spec.foo');
    expect(patch('merge-patch+json', body, { fieldValidation: 'Ignore' }).warnings).toEqual([]);
  });

  it('is of the type that was patched, whatever a strategic merge patch calls it', () => {
    const body = { apiVersion: 'v1', kind: 'Pod', spec: { replicas: 4 } };
    expect(patch('strategic-merge-patch+json', body).object).toMatchObject({ ...old, spec: { replicas: 4 } });
    expect(refusal('merge-patch+json', body).code).toBe(422);
  });
});
