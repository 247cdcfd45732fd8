import { type FieldError, type FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1035Label } from '../../apimachinery/names.ts';
import { invalidFor, repeatedIndexes, requiredOneOf } from '../field-checks.ts';
import type { CustomResourceConversion } from '../types/apiextensions.v1.gen.ts';
import { validateWebhookClientConfig } from '../webhook-client-config.ts';

const reviewVersions = ['v1', 'v1beta1'];

/** Errors name the fields as upstream's internal form does: without the `webhook` level. */
export function validateConversion(path: FieldPath, conversion: CustomResourceConversion | undefined): FieldError[] {
  if (!conversion) return [];
  const { strategy, webhook } = conversion;
  const config = path.child('webhookClientConfig');
  const versionsPath = path.child('conversionReviewVersions');
  const errors = requiredOneOf(path.child('strategy'), strategy, ['None', 'Webhook']);
  if (strategy !== 'Webhook') {
    const unwanted = 'should not be set when strategy is not set to Webhook';
    if (webhook?.clientConfig) errors.push(forbiddenField(config, unwanted));
    if (webhook?.conversionReviewVersions?.length) errors.push(forbiddenField(versionsPath, unwanted));
    return errors;
  }
  if (!webhook?.clientConfig) errors.push(required(config, 'required when strategy is set to Webhook'));
  else errors.push(...validateWebhookClientConfig(config, webhook.clientConfig));
  const versions = webhook?.conversionReviewVersions ?? [];
  if (versions.length === 0) return [...errors, required(versionsPath)];
  const repeated = repeatedIndexes(versions);
  versions.forEach((version, index) => {
    const at = versionsPath.index(index);
    if (repeated.has(index)) errors.push(invalidValue(at, version, 'duplicate version'));
    else errors.push(...invalidFor(at, version, isDns1035Label(version)));
  });
  if (!versions.some((version) => reviewVersions.includes(version)))
    errors.push(invalidValue(versionsPath, versions, `must include at least one of ${reviewVersions.join(', ')}`));
  return errors;
}
