import { expect, it } from 'vitest';
import { mediaTypeOf } from './media-type.ts';

it.each<[string, string | undefined]>([
  ['', ''],
  ['application/json', 'application/json'],
  [' Application/JSON ;charset=utf-8', 'application/json'],
  ['application/json; charset="a;\\"b"; q=1', 'application/json'],
  ['application/json;', 'application/json'],
  ['application/json ; ', 'application/json'],
  ['application/json;stream=watch', 'application/json'],
  ['application/json;a=1;A=1', 'application/json'],
  ['application/json;a=1;a=2', undefined],
  ['application/json;charset', undefined],
  ['application/json;charset=', undefined],
  ['application/json;;charset=x', undefined],
  ['application/json; charset="x', undefined],
  ['application/json charset=x', undefined],
  ['application/json, text/plain', undefined],
  ['json', undefined],
  ['application/', undefined],
])('%j', (header, mediaType) => {
  expect(mediaTypeOf(header)).toBe(mediaType);
});
