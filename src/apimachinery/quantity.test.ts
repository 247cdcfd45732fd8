import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isQuantity, Quantity } from './quantity.ts';

describe('quantity', () => {
  it.each([
    ['0', '0'],
    ['1000m', '1'],
    ['100m', '100m'],
    ['1500m', '1500m'],
    ['0.5', '500m'],
    ['1.5Gi', '1536Mi'],
    ['1024Mi', '1Gi'],
    ['1500Mi', '1500Mi'],
    ['2048Ki', '2Mi'],
    ['0.1Ki', '102400m'],
    ['512', '512'],
    ['1e3', '1e3'],
    ['1000e3', '1e6'],
    ['12E', '12E'],
    ['1000k', '1M'],
    ['0.0000000001', '1n'],
    ['-1.5', '-1500m'],
    ['1.', '1.'],
    ['100Ei', '9223372036854775807'],
    ['1E', '1E'],
    ['010', '010'],
    ['1000Ki', '1000Ki'],
  ])('%s prints as %s', (text, printed) => expect(Quantity.parse(text).toString()).toBe(printed));

  it.each(['', ' 1', '1 ', '1i', '0.1mi', 'aoeu', '.5i', '1.1.M', '1+1.0M', '-3.01e-', 'e3.5', '1KiKi'])(
    'refuses %j',
    (text) => expect(isQuantity(text)).toBe(false),
  );

  it('explains what is wrong', () => {
    expect(() => Quantity.parse('1x')).toThrow(/^quantities must match the regular expression/);
    expect(() => Quantity.parse('1Kii')).toThrow("unable to parse quantity's suffix");
    expect(() => Quantity.parse('1e999999999')).toThrow('unable to parse numeric part of quantity');
    expect(Quantity.parse('1e-999999999').toString()).toBe('1e-9');
  });

  it('rounds up', () => {
    expect(Quantity.parse('1m').value()).toBe(1);
    expect(Quantity.parse('-1m').value()).toBe(-1);
    expect(Quantity.parse('1n').milliValue()).toBe(1);
    expect(Quantity.parse('1u').roundUp(-3).toString()).toBe('1m');
  });

  const amount = fc.tuple(
    fc.integer({ min: -1_000_000, max: 1_000_000 }),
    fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'e-3'),
  );
  const quantity = amount.map(([number, suffix]) => Quantity.parse(`${number}${suffix}`));

  it('keeps its value through its canonical form', () => {
    fc.assert(
      fc.property(quantity, quantity, (a, b) => {
        const again = Quantity.parse(a.toString());
        expect(again.cmp(a)).toBe(0);
        expect(Quantity.parse(again.toString()).toString()).toBe(again.toString());
        const sum = a.add(b);
        expect(Quantity.parse(sum.toString()).cmp(sum)).toBe(0);
        expect(sum.sub(b).cmp(a)).toBe(0);
        expect(sum.cmp(a)).toBe(b.sign());
      }),
    );
  });
});
