import { FieldPath, invalidValue, required, typeInvalid } from '../../../apimachinery/field.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';
import type { ImagePolicyOptions } from '../image-policy-webhook.ts';

export interface ImagePolicyConfiguration
  extends Pick<ImagePolicyOptions, 'allowTTLMs' | 'denyTTLMs' | 'defaultAllow'> {
  readonly kubeConfigFile: string;
  readonly retryBackoffMs: number;
}

const MINUTE_MS = 60_000;

/** `imagePolicy`: the webhook that ImagePolicyWebhook asks. Has no kind. Throws ConfigurationFault. */
export function readImagePolicy(given: unknown): ImagePolicyConfiguration {
  const document = new ConfigurationDocument(given, undefined, [], ['imagePolicy']);
  const path = FieldPath.of('imagePolicy');
  const fields = document.fields(document.root.imagePolicy, path, [
    'kubeConfigFile',
    'allowTTL',
    'denyTTL',
    'retryBackoff',
    'defaultAllow',
  ]);
  /** -1 is none, 0 the default. */
  const duration = (name: string, unitMs: number, defaultMs: number, mostMs: number): number => {
    const value = fields[name] ?? 0;
    const at = path.child(name);
    if (!Number.isSafeInteger(value)) {
      document.errors.push(typeInvalid(at, value, 'must be a whole number'));
      return defaultMs;
    }
    if (value === -1) return 0;
    if (value === 0) return defaultMs;
    const ms = (value as number) * unitMs;
    if (ms < 1 || (unitMs === 1000 && ms <= 1000) || ms > mostMs)
      document.errors.push(
        invalidValue(at, value, `must be at most ${mostMs / MINUTE_MS} minutes and more than ${unitMs === 1 ? 0 : 1}`),
      );
    return ms;
  };
  const kubeConfigFile = document.text(fields.kubeConfigFile, path.child('kubeConfigFile'));
  if (kubeConfigFile === '') document.errors.push(required(path.child('kubeConfigFile')));
  const configuration = {
    kubeConfigFile,
    allowTTLMs: duration('allowTTL', 1000, 5 * MINUTE_MS, 30 * MINUTE_MS),
    denyTTLMs: duration('denyTTL', 1000, 30_000, 30 * MINUTE_MS),
    retryBackoffMs: duration('retryBackoff', 1, 500, 5 * MINUTE_MS),
    defaultAllow: document.flag(fields.defaultAllow, path.child('defaultAllow')),
  };
  document.finish();
  return configuration;
}
