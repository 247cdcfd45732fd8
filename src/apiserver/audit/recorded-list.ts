import type { ListMeta } from '../../apimachinery/meta.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { withoutManagedFields } from './recorded-object.ts';

/** About so many characters are encoded before others have their turn. */
const PIECE = 64 * 1024;

export interface RecordedListOptions {
  readonly head: { readonly kind: string; readonly apiVersion: string; readonly metadata: ListMeta };
  /** In the version of the list. */
  readonly entry: (index: number) => Entry;
  readonly count: number;
  readonly omitManagedFields: boolean;
}

/** A list that was answered, which is encoded in pieces: it may be far larger than what the event loop can do at once. */
export class RecordedList {
  readonly #options: RecordedListOptions;

  constructor(options: RecordedListOptions) {
    this.#options = options;
  }

  /** Its JSON. */
  async pieces(): Promise<string[]> {
    const { head, count } = this.#options;
    const pieces = [`${JSON.stringify(head).slice(0, -1)},"items":[`];
    let piece = '';
    for (let index = 0; index < count; index++) {
      piece += `${index ? ',' : ''}${this.#item(index)}`;
      if (piece.length < PIECE) continue;
      pieces.push(piece);
      piece = '';
      await new Promise(setImmediate);
    }
    pieces.push(`${piece}]}`);
    return pieces;
  }

  #item(index: number): string {
    const { entry, omitManagedFields } = this.#options;
    const json = entry(index).bytes.toString('utf8');
    return omitManagedFields ? JSON.stringify(withoutManagedFields(JSON.parse(json))) : json;
  }
}
