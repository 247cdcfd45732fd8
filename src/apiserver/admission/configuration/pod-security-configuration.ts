import { FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';
import type { PodSecurityOptions } from '../pod-security/pod-security.ts';
import { type LevelVersion, type Mode, parseLevel, parseVersion } from '../pod-security/policy.ts';

const VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `pod-security.admission.config.k8s.io/${version}`);

/** A PodSecurityConfiguration: what namespaces without labels demand, and who is exempt. Throws ConfigurationFault. */
export function readPodSecurity(given: unknown): Required<Pick<PodSecurityOptions, 'defaults' | 'exempt'>> {
  const document = new ConfigurationDocument(given, 'PodSecurityConfiguration', VERSIONS, ['defaults', 'exemptions']);
  const { root } = document;
  const path = FieldPath.of('defaults');
  const fields = document.fields(
    root.defaults,
    path,
    ['enforce', 'audit', 'warn'].flatMap((mode) => [mode, `${mode}-version`]),
  );
  const read = (mode: Mode): LevelVersion => {
    const level = document.optionalText(fields[mode], path.child(mode)) ?? 'privileged';
    const version = document.optionalText(fields[`${mode}-version`], path.child(`${mode}-version`)) ?? 'latest';
    const [known, parsed] = [parseLevel(level), parseVersion(version)];
    if (!known)
      document.errors.push(invalidValue(path.child(mode), level, 'must be one of privileged, baseline, restricted'));
    if (parsed === undefined)
      document.errors.push(invalidValue(path.child(`${mode}-version`), version, 'must be "latest" or "v1.x"'));
    return { level: known ?? 'privileged', version: parsed ?? 'latest' };
  };
  const defaults = { enforce: read('enforce'), audit: read('audit'), warn: read('warn') };
  const exemptions = FieldPath.of('exemptions');
  const names = document.fields(root.exemptions, exemptions, ['usernames', 'namespaces', 'runtimeClasses']);
  const texts = (name: string) =>
    document.list(names[name], exemptions.child(name)).map(({ value, path: at }) => document.text(value, at));
  const exempt = {
    usernames: texts('usernames'),
    namespaces: texts('namespaces'),
    runtimeClasses: texts('runtimeClasses'),
  };
  document.finish();
  return { defaults, exempt };
}
