import {
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  notSupported,
  required,
  typeInvalid,
} from '../../../apimachinery/field.ts';

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** The message of all faults that are found. */
export class ConfigurationFault extends Error {
  constructor(errors: readonly (FieldError | string)[]) {
    super(errors.map(String).join('; '));
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a configuration file strictly, and collects what is wrong with it. A version without a group is of apiserver.config.k8s.io. */
export class ConfigurationDocument {
  readonly errors: FieldError[] = [];
  readonly root: Fields;

  /** Throws ConfigurationFault when `given` is of another kind; the oldest files have none. */
  constructor(given: unknown, kind: string | undefined, versions: readonly string[], known: readonly string[]) {
    this.root = this.fields(given, FieldPath.root, ['apiVersion', 'kind', ...known]);
    if (kind === undefined) return;
    if (this.root.kind !== kind) this.errors.push(notSupported('kind', this.root.kind, [kind]));
    const supported = versions.map((version) =>
      version.includes('/') ? version : `apiserver.config.k8s.io/${version}`,
    );
    if (!supported.includes(this.root.apiVersion as string))
      this.errors.push(notSupported('apiVersion', this.root.apiVersion, supported));
    this.finish();
  }

  /** Throws ConfigurationFault when anything was wrong. */
  finish(): void {
    if (this.errors.length) throw new ConfigurationFault(this.errors);
  }

  fields(given: unknown, path: FieldPath, known: readonly string[]): Fields {
    if (given === undefined || given === null) return {};
    if (typeof given !== 'object' || Array.isArray(given)) {
      this.errors.push(typeInvalid(path, given, 'must be an object'));
      return {};
    }
    for (const name of Object.keys(given))
      if (!known.includes(name)) this.errors.push(invalidValue(path.child(name), name, 'unknown field'));
    return given as Fields;
  }

  list(given: unknown, path: FieldPath): readonly { readonly value: unknown; readonly path: FieldPath }[] {
    if (given === undefined || given === null) return [];
    if (!Array.isArray(given)) {
      this.errors.push(typeInvalid(path, given, 'must be a list'));
      return [];
    }
    return given.map((value: unknown, index) => ({ value, path: path.index(index) }));
  }

  /** `undefined` when it is absent. */
  optionalText(given: unknown, path: FieldPath): string | undefined {
    if (given === undefined || given === null) return undefined;
    if (typeof given === 'string') return given;
    this.errors.push(typeInvalid(path, given, 'must be a string'));
    return undefined;
  }

  text(given: unknown, path: FieldPath): string {
    return this.optionalText(given, path) ?? '';
  }

  /** A map of strings; empty when it is absent. */
  texts(given: unknown, path: FieldPath): Readonly<Record<string, string>> {
    const names = typeof given === 'object' && given !== null && !Array.isArray(given) ? Object.keys(given) : [];
    const fields = this.fields(given, path, names);
    return Object.fromEntries(names.map((name) => [name, this.text(fields[name], path.key(name))]));
  }

  /** One of `supported`; the first of them when there was a fault. */
  choice<T extends string>(given: unknown, path: FieldPath, supported: readonly [T, ...T[]]): T {
    const text = this.text(given, path);
    if (text === '') this.errors.push(required(path));
    else if (!supported.includes(text as T)) this.errors.push(notSupported(path, text, supported));
    else return text as T;
    return supported[0];
  }

  flag(given: unknown, path: FieldPath): boolean {
    if (given === undefined || given === null) return false;
    if (typeof given !== 'boolean') this.errors.push(typeInvalid(path, given, 'must be true or false'));
    return given === true;
  }

  /** A whole number that is not negative; 0 when it is absent. */
  count(given: unknown, path: FieldPath): number {
    if (given === undefined || given === null) return 0;
    if (Number.isSafeInteger(given) && (given as number) >= 0) return given as number;
    this.errors.push(typeInvalid(path, given, 'must be a whole number that is not negative'));
    return 0;
  }

  /** Milliseconds of a duration as Go writes it (`1m30s`); 0 when it is absent. */
  duration(given: unknown, path: FieldPath): number {
    const text = this.text(given, path);
    if (text === '' || text === '0') return 0;
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
    if (text.replace(/^-/, '') !== parts.map(([part]) => part).join('')) {
      this.errors.push(invalidValue(path, text, 'must be a duration such as 30s or 5m'));
      return 0;
    }
    const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
    return text.startsWith('-') ? -total : total;
  }

  /** Notes that `value` is there for the second time. */
  unique(seen: Set<string>, value: string, path: FieldPath): boolean {
    if (seen.has(value)) {
      this.errors.push(duplicate(path, value));
      return false;
    }
    seen.add(value);
    return true;
  }
}
