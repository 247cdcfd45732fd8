import type { ListEncoding } from './encode-list.ts';

const SLICE_MS = 5;
/** About how long a piece is. */
const PIECE = 128 * 1024;
const PLACE = 'items-of-the-list';

/** YAML as other parsers read it too: of 1.1, to which more text looks like numbers, dates and booleans. Keys in order. */
export async function toYaml(value: unknown): Promise<string> {
  return (await yamlWriter())(value);
}

async function yamlWriter(): Promise<(value: unknown) => string> {
  const { stringify } = await import('yaml');
  return (value) =>
    stringify(value, { sortMapEntries: true, indentSeq: false, aliasDuplicateObjects: false, compat: 'yaml-1.1' });
}

/** A list for people to read, piece by piece, in turns of the event loop. `item` gives the JSON of one. */
export async function* readableList(
  { head, tail }: ListEncoding,
  count: number,
  item: (index: number) => string,
  format: 'json' | 'yaml',
): AsyncGenerator<string> {
  const yaml = format === 'yaml' ? await yamlWriter() : undefined;
  const list = JSON.parse(head + tail) as Record<string, unknown>;
  // Of a table the rows, which come after the columns.
  const [name] = Object.entries(list).findLast(([, value]) => Array.isArray(value)) ?? ['items'];
  if (count > 0) list[name] = PLACE;
  const whole = yaml ? yaml(list) : JSON.stringify(list, null, 2);
  const [before = '', after] = whole.split(yaml ? ` ${PLACE}\n` : JSON.stringify(PLACE));
  if (after === undefined) return yield before;
  let text = `${before}${yaml ? '\n' : '['}`;
  let until = performance.now() + SLICE_MS;
  for (let index = 0; index < count; index++) {
    const value: unknown = JSON.parse(item(index));
    if (yaml) text += yaml([value]);
    else text += `${index > 0 ? ',' : ''}\n    ${JSON.stringify(value, null, 2).replaceAll('\n', '\n    ')}`;
    if (text.length > PIECE) {
      yield text;
      text = '';
    }
    if (performance.now() < until) continue;
    await new Promise(setImmediate);
    until = performance.now() + SLICE_MS;
  }
  yield `${text}${yaml ? '' : '\n  ]'}${after}`;
}
