import { expect, it } from 'vitest';
import { checkDeviceSelectors } from './check-device-selectors.ts';

const select = (...expressions: string[]) => expressions.map((expression) => ({ cel: { expression } }));

it('compiles the selectors of classes, claims and templates', () => {
  const good = 'device.driver == "a.io" && device.attributes["a.io"].model.startsWith("x")';
  const claim = (expression: string) => ({
    devices: {
      requests: [
        { exactly: { selectors: select(good, expression) } },
        { firstAvailable: [{ selectors: select(expression) }] },
      ],
    },
  });
  const texts = (spec: object) => checkDeviceSelectors(spec).map(String);
  expect(texts({ selectors: select(good) })).toEqual([]);
  expect(texts(claim(good))).toEqual([]);
  const quoted = 'Invalid value: "device.driver": must evaluate to bool or the unknown type, not string';
  expect(texts(claim('device.driver'))).toEqual([
    `spec.devices.requests[0].exactly.selectors[1].cel.expression: ${quoted}`,
    `spec.devices.requests[1].firstAvailable[0].selectors[0].cel.expression: ${quoted}`,
  ]);
  expect(texts({ spec: claim('device.x') })[0]).toMatch(
    /^spec\.spec\.devices\.requests\[0\]\.exactly\.selectors\[1\]\.cel\.expression: Invalid value: "device\.x": compilation failed: ERROR: <input>:1:7: undefined field 'x'/,
  );
});
