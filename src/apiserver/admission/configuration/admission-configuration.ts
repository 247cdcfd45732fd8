import { isAbsolute, join } from 'node:path';
import { FieldPath, invalidValue, notSupported, required } from '../../../apimachinery/field.ts';
import {
  ConfigurationDocument,
  ConfigurationFault,
} from '../../authentication/configuration/configuration-document.ts';
import type { LimitedResource } from '../limited-resources.ts';
import type { NodeSelectors } from '../pod-node-selector.ts';
import type { PodSecurityOptions } from '../pod-security/pod-security.ts';
import type { TolerationRules } from '../pod-toleration-restriction.ts';
import { type EventLimit, readEventLimits } from './event-limits.ts';
import { type ImagePolicyConfiguration, readImagePolicy } from './image-policy-configuration.ts';
import { readNodeSelectors, readTolerationRules } from './pod-placement-configuration.ts';
import { readPodSecurity } from './pod-security-configuration.ts';
import { readLimitedResources } from './quota-configuration.ts';

/** What an AdmissionConfiguration says of the steps that can be configured. */
export interface AdmissionConfiguration {
  readonly podSecurity?: Pick<PodSecurityOptions, 'defaults' | 'exempt'>;
  readonly eventLimits?: readonly EventLimit[];
  readonly imagePolicy?: ImagePolicyConfiguration;
  readonly limitedResources?: readonly LimitedResource[];
  readonly nodeSelectors?: NodeSelectors;
  readonly tolerations?: TolerationRules;
}

/** By the step that it configures. */
const READERS: Readonly<Record<string, (document: unknown) => AdmissionConfiguration>> = {
  PodSecurity: (document) => ({ podSecurity: readPodSecurity(document) }),
  EventRateLimit: (document) => ({ eventLimits: readEventLimits(document) }),
  ImagePolicyWebhook: (document) => ({ imagePolicy: readImagePolicy(document) }),
  ResourceQuota: (document) => ({ limitedResources: readLimitedResources(document) }),
  PodNodeSelector: (document) => ({ nodeSelectors: readNodeSelectors(document) }),
  PodTolerationRestriction: (document) => ({ tolerations: readTolerationRules(document) }),
};

/**
 * Reads an AdmissionConfiguration of apiserver.config.k8s.io/v1. `read` parses another file, which a step may have its own
 * configuration in; paths are relative to `folder`. Throws ConfigurationFault, which names the field, or what `read` throws.
 */
export async function readAdmissionConfiguration(
  given: unknown,
  folder: string,
  read: (path: string) => Promise<unknown>,
): Promise<AdmissionConfiguration> {
  const document = new ConfigurationDocument(given, 'AdmissionConfiguration', ['v1', 'v1alpha1'], ['plugins']);
  const seen = new Set<string>();
  let result: AdmissionConfiguration = {};
  for (const { value, path } of document.list(document.root.plugins, FieldPath.of('plugins'))) {
    const plugin = document.fields(value, path, ['name', 'path', 'configuration']);
    const name = document.text(plugin.name, path.child('name'));
    const file = document.text(plugin.path, path.child('path'));
    const { configuration } = plugin;
    if (name === '') document.errors.push(required(path.child('name')));
    else if (!READERS[name]) document.errors.push(notSupported(path.child('name'), name, Object.keys(READERS)));
    else document.unique(seen, name, path.child('name'));
    if (file && configuration)
      document.errors.push(invalidValue(path.child('path'), file, 'path and configuration exclude each other'));
    if (!file && !configuration) document.errors.push(required(path.child('configuration')));
    document.finish();
    const where = file ? (isAbsolute(file) ? file : join(folder, file)) : undefined;
    try {
      result = { ...result, ...READERS[name]!(where === undefined ? configuration : await read(where)) };
    } catch (cause) {
      if (!(cause instanceof ConfigurationFault)) throw cause;
      throw new ConfigurationFault([`${path} (${name}${where === undefined ? '' : `, ${where}`}): ${cause.message}`]);
    }
  }
  document.finish();
  return result;
}
