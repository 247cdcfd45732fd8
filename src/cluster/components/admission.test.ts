import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import { resolveOptions } from '../options.ts';
import { admissionOptions } from './admission.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'admission-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const options = (given: Parameters<typeof resolveOptions>[0]) => admissionOptions(resolveOptions(given), silentLogger);
const file = (name: string, content: object) => {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
};

it('takes names of plugins, and the limits of EventRateLimit from another file', async () => {
  expect(() => resolveOptions({ enableAdmissionPlugins: ['Foo'] })).toThrow('there is no admission plugin "Foo"');
  expect(() => resolveOptions({ enableAdmissionPlugins: ['Priority'], disableAdmissionPlugins: ['Priority'] })).toThrow(
    "Priority can't be both enabled and disabled",
  );
  const enableAdmissionPlugins = ['EventRateLimit'];
  await expect(options({ enableAdmissionPlugins })).rejects.toThrow(
    'the admission plugin EventRateLimit has no limits',
  );
  file('events.yaml', {
    apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
    kind: 'Configuration',
    limits: [{ type: 'Server', qps: 5, burst: 10 }],
  });
  const admissionControlConfigFile = file('admission.yaml', {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [{ name: 'EventRateLimit', path: 'events.yaml' }],
  });
  expect((await options({ enableAdmissionPlugins, admissionControlConfigFile })).configuration).toMatchObject({
    eventLimits: [{ type: 'Server', qps: 5, burst: 10 }],
  });
  rmSync(join(directory, 'events.yaml'));
  await expect(options({ enableAdmissionPlugins, admissionControlConfigFile })).rejects.toThrow(
    /^the AdmissionConfiguration file .*admission.yaml can't be used: .*events.yaml/,
  );
});
