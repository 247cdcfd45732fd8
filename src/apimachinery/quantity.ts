/** How a quantity was written, and so how it is printed. */
export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

const NANO = 1_000_000_000n;
const MAX_BINARY = (2n ** 63n - 1n) * NANO;
/** Longer numbers and larger exponents are refused: their arithmetic would hold up the event loop. */
const MAX_DIGITS = 1000;

const decimalSuffixes: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const binarySuffixes: ReadonlyMap<string, number> = new Map([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);
const suffixOfExponent = new Map([...decimalSuffixes].map(([suffix, exponent]) => [exponent, suffix]));
const suffixOfPower = ['', ...binarySuffixes.keys()];

const shape = /^([+-]?)0*(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const wrongNumber = 'unable to parse numeric part of quantity';
const wrongSuffix = "unable to parse quantity's suffix";

/**
 * An amount of a resource: `100m`, `1.5Gi`, `12e6`. Immutable. Exact down to a nano-unit; what is smaller is rounded away
 * from zero. A quantity that was written in canonical form prints as it was written.
 */
export class Quantity {
  readonly format: QuantityFormat;
  readonly #nanos: bigint;
  #text: string | undefined;

  private constructor(nanos: bigint, format: QuantityFormat, text?: string) {
    this.#nanos = nanos;
    this.format = format;
    this.#text = text;
  }

  static readonly zero = new Quantity(0n, 'DecimalSI', '0');

  /** Throws an Error with Kubernetes' message. */
  static parse(value: string | number): Quantity {
    const text = typeof value === 'number' ? String(value) : value;
    if (text === '') throw new Error(wrongFormat);
    const match = shape.exec(text);
    if (!match) throw new Error(wrongFormat);
    const [, sign, whole = '', fraction = '', suffix = ''] = match;
    const { base, exponent, format } = interpretSuffix(suffix);
    if (whole.length + fraction.length > MAX_DIGITS || exponent > MAX_DIGITS) throw new Error(wrongNumber);

    const mantissa = BigInt(whole + fraction || '0');
    let nanos: bigint;
    if (base === 2) nanos = divideUp(mantissa * NANO * (1n << BigInt(exponent)), 10n ** BigInt(fraction.length));
    else {
      const scale = exponent + 9 - fraction.length;
      if (scale >= 0) nanos = mantissa * 10n ** BigInt(scale);
      else nanos = scale < -2 * MAX_DIGITS ? (mantissa === 0n ? 0n : 1n) : divideUp(mantissa, 10n ** BigInt(-scale));
    }
    let shownFormat = format;
    if (format === 'BinarySI') {
      if (nanos > MAX_BINARY) nanos = MAX_BINARY;
      if (nanos > 0n && nanos < NANO) shownFormat = 'DecimalSI';
    }
    return new Quantity(
      sign === '-' ? -nanos : nanos,
      shownFormat,
      isCanonical(mantissa, whole, fraction, exponent, format) ? text : undefined,
    );
  }

  /** A whole number of units. */
  static of(units: number, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(Math.ceil(units)) * NANO, format);
  }

  /** A whole number of thousandths. */
  static ofMilli(milli: number, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(Math.ceil(milli)) * 1_000_000n, format);
  }

  /** In units, rounded up (away from zero). */
  value(): number {
    return Number(divideUp(this.#nanos, NANO));
  }

  /** In thousandths, rounded up (away from zero). */
  milliValue(): number {
    return Number(divideUp(this.#nanos, 1_000_000n));
  }

  /** In units, with the fraction, as exactly as a double can hold. */
  toNumber(): number {
    return this.#nanos % NANO === 0n ? Number(this.#nanos / NANO) : Number(this.#nanos) / 1e9;
  }

  cmp(other: Quantity): -1 | 0 | 1 {
    return this.#nanos < other.#nanos ? -1 : this.#nanos > other.#nanos ? 1 : 0;
  }

  /** The sum takes the format of `this`, or of `other` when `this` is zero. */
  add(other: Quantity): Quantity {
    return new Quantity(this.#nanos + other.#nanos, this.isZero() ? other.format : this.format);
  }

  sub(other: Quantity): Quantity {
    return new Quantity(this.#nanos - other.#nanos, this.isZero() ? other.format : this.format);
  }

  mul(factor: number): Quantity {
    return new Quantity(this.#nanos * BigInt(factor), this.format);
  }

  neg(): Quantity {
    return new Quantity(-this.#nanos, this.format);
  }

  /** Rounded away from zero to a multiple of 10^scale, -9 to 0: -3 is what resource lists are defaulted to. */
  roundUp(scale: number): Quantity {
    const unit = 10n ** BigInt(scale + 9);
    return this.#nanos % unit === 0n ? this : new Quantity(divideUp(this.#nanos, unit) * unit, this.format);
  }

  isZero(): boolean {
    return this.#nanos === 0n;
  }

  sign(): -1 | 0 | 1 {
    return this.#nanos < 0n ? -1 : this.#nanos > 0n ? 1 : 0;
  }

  /** The canonical form: no precision lost, no fraction, the largest suffix that fits. */
  toString(): string {
    this.#text ??= canonical(this.#nanos, this.format);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

export function parseQuantity(value: string | number): Quantity {
  return Quantity.parse(value);
}

export function isQuantity(value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  try {
    Quantity.parse(value);
    return true;
  } catch {
    return false;
  }
}

function interpretSuffix(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = decimalSuffixes.get(suffix);
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' };
  const binary = binarySuffixes.get(suffix);
  if (binary !== undefined) return { base: 2, exponent: binary, format: 'BinarySI' };
  if (/^[eE][-+]?\d+$/.test(suffix)) return { base: 10, exponent: Number(suffix.slice(1)), format: 'DecimalExponent' };
  throw new Error(wrongSuffix);
}

/** Whether Kubernetes keeps the spelling: it looks at the digits, not at the value. */
function isCanonical(
  mantissa: bigint,
  whole: string,
  fraction: string,
  exponent: number,
  format: QuantityFormat,
): boolean {
  const digits = (whole || '0').length + fraction.length;
  if (format === 'BinarySI') {
    return fraction === '' && 15 - digits - Math.trunc((exponent * 3) / 10) - 1 >= 0 && (mantissa & 7n) !== 0n;
  }
  const scale = exponent - fraction.length;
  const shifted = (whole || '0') + fraction;
  return digits <= 18 && scale >= -9 && scale % 3 === 0 && !shifted.endsWith('000') && shifted[0] !== '0';
}

function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (quotient * divisor === value) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

function canonical(nanos: bigint, format: QuantityFormat): string {
  if (nanos === 0n) return '0';
  const magnitude = nanos < 0n ? -nanos : nanos;
  if (format === 'BinarySI' && magnitude >= 1024n * NANO && nanos % NANO === 0n) {
    let mantissa = nanos / NANO;
    let power = 0;
    while (power < 6 && mantissa % 1024n === 0n) {
      mantissa /= 1024n;
      power++;
    }
    return `${mantissa}${suffixOfPower[power]}`;
  }
  let mantissa = nanos;
  let exponent = -9;
  while (mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    exponent += 3;
  }
  const suffix = format === 'DecimalExponent' ? undefined : suffixOfExponent.get(exponent);
  return `${mantissa}${suffix ?? (exponent === 0 ? '' : `e${exponent}`)}`;
}
