/** A path into an object, printed as Kubernetes prints it: `spec.containers[0].ports[name]`. */
export class FieldPath {
  readonly #parent: FieldPath | undefined;
  readonly #part: string;

  /** Most paths are never printed: the text is put together by whoever asks. */
  private constructor(parent: FieldPath | undefined, part: string) {
    this.#parent = parent;
    this.#part = part;
  }

  static readonly root = new FieldPath(undefined, '');

  static of(...names: string[]): FieldPath {
    return FieldPath.root.child(...names);
  }

  child(...names: string[]): FieldPath {
    let path: FieldPath = this;
    for (const name of names) path = new FieldPath(path, path.#isEmpty() ? name : `.${name}`);
    return path;
  }

  index(index: number): FieldPath {
    return new FieldPath(this, `[${index}]`);
  }

  key(key: string): FieldPath {
    return new FieldPath(this, `[${key}]`);
  }

  toString(): string {
    return this.#text() || '<nil>';
  }

  #isEmpty(): boolean {
    return this.#part === '' && (this.#parent === undefined || this.#parent.#isEmpty());
  }

  #text(): string {
    return this.#parent === undefined ? this.#part : this.#parent.#text() + this.#part;
  }
}

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

/** One validation failure; `body` is the message without the field. */
export class FieldError {
  readonly type: FieldErrorType;
  readonly field: string;
  readonly body: string;

  constructor(type: FieldErrorType, field: FieldPath | string, body: string) {
    this.type = type;
    this.field = field.toString();
    this.body = body;
  }

  toString(): string {
    return `${this.field}: ${this.body}`;
  }
}

const join = (text: string, detail: string | undefined) => (detail ? `${text}: ${detail}` : text);

/** A value as Go's field errors print it: strings quoted, objects as JSON. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
}

export const required = (path: FieldPath | string, detail = '') =>
  new FieldError('FieldValueRequired', path, join('Required value', detail));
export const invalidValue = (path: FieldPath | string, value: unknown, detail: string) =>
  new FieldError('FieldValueInvalid', path, join(`Invalid value: ${showValue(value)}`, detail));
export const notSupported = (path: FieldPath | string, value: unknown, supported: readonly string[]) =>
  new FieldError(
    'FieldValueNotSupported',
    path,
    join(
      `Unsupported value: ${showValue(value)}`,
      supported.length ? `supported values: ${supported.map((v) => JSON.stringify(v)).join(', ')}` : '',
    ),
  );
export const duplicate = (path: FieldPath | string, value: unknown) =>
  new FieldError('FieldValueDuplicate', path, `Duplicate value: ${showValue(value)}`);
export const forbiddenField = (path: FieldPath | string, detail: string) =>
  new FieldError('FieldValueForbidden', path, join('Forbidden', detail));
export const tooLong = (path: FieldPath | string, max: number) =>
  new FieldError('FieldValueTooLong', path, `Too long: may not be more than ${max} bytes`);
export const tooMany = (path: FieldPath | string, actual: number, max: number) =>
  new FieldError('FieldValueTooMany', path, `Too many: ${actual}: must have at most ${max} items`);
export const typeInvalid = (path: FieldPath | string, value: unknown, detail: string) =>
  new FieldError('FieldValueTypeInvalid', path, join(`Invalid value: ${showValue(value)}`, detail));
export const fieldNotFound = (path: FieldPath | string, value: unknown) =>
  new FieldError('FieldValueNotFound', path, `Not found: ${showValue(value)}`);
