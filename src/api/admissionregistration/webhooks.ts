import {
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isDns1035Label } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { validateFullyQualifiedName } from '../domain-names.ts';
import { invalidFor, optionalOneOf, repeatedIndexes } from '../field-checks.ts';
import type { PrinterColumn } from '../kind.ts';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../types/admissionregistration.v1.gen.ts';
import { validateWebhookClientConfig, webhookServicePort } from '../webhook-client-config.ts';
import { validateMatchConditions } from './match-conditions.ts';
import { defaultRules, failurePolicies, matchPolicies, reinvocationPolicies, validateRule } from './rules.ts';

/** What mutating and validating webhooks have in common. */

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;
type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

const webhooksPath = FieldPath.of('webhooks');
const harmless = ['None', 'NoneOnDryRun'];
const reviewVersions = ['v1', 'v1beta1'];

export function defaultWebhook(webhook: Draft<ValidatingWebhook>): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  defaultRules(webhook.rules);
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= webhookServicePort;
}

export function validateWebhooks(webhooks: readonly Webhook[] | undefined): FieldError[] {
  const names = new Set<string>();
  return (webhooks ?? []).flatMap((webhook, index) => {
    const path = webhooksPath.index(index);
    const errors = [...validateWebhook(path, webhook), ...validateReviewVersions(path, webhook)];
    if (webhook.name && names.has(webhook.name)) errors.push(duplicate(path.child('name'), webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

function validateWebhook(path: FieldPath, webhook: Webhook): FieldError[] {
  const { rules = [], sideEffects, timeoutSeconds: timeout } = webhook;
  const errors = [
    ...validateFullyQualifiedName(path.child('name'), webhook.name),
    ...rules.flatMap((rule, index) => validateRule(path.child('rules').index(index), rule)),
    ...optionalOneOf(path.child('failurePolicy'), webhook.failurePolicy, failurePolicies),
    ...optionalOneOf(path.child('matchPolicy'), webhook.matchPolicy, matchPolicies),
  ];
  if (!sideEffects) errors.push(required(path.child('sideEffects'), `must specify one of ${harmless.join(', ')}`));
  else if (!harmless.includes(sideEffects)) errors.push(notSupported(path.child('sideEffects'), sideEffects, harmless));
  if (timeout !== undefined && (timeout > 30 || timeout < 1))
    errors.push(
      invalidValue(path.child('timeoutSeconds'), timeout, 'the timeout value must be between 1 and 30 seconds'),
    );
  return [
    ...errors,
    ...validateLabelSelector(webhook.namespaceSelector, path.child('namespaceSelector')),
    ...validateLabelSelector(webhook.objectSelector, path.child('objectSelector')),
    ...optionalOneOf(path.child('reinvocationPolicy'), webhook.reinvocationPolicy, reinvocationPolicies),
    ...validateWebhookClientConfig(path.child('clientConfig'), webhook.clientConfig),
    ...validateMatchConditions(path.child('matchConditions'), webhook.matchConditions),
  ];
}

function validateReviewVersions(webhook: FieldPath, { admissionReviewVersions: versions = [] }: Webhook): FieldError[] {
  const path = webhook.child('admissionReviewVersions');
  if (versions.length === 0) return [required(path, `must specify one of ${reviewVersions.join(', ')}`)];
  const repeated = repeatedIndexes(versions);
  const errors = versions.flatMap((version, index) =>
    repeated.has(index)
      ? [invalidValue(path.index(index), version, 'duplicate version')]
      : invalidFor(path.index(index), version, isDns1035Label(version)),
  );
  if (!versions.some((version) => reviewVersions.includes(version)))
    errors.push(invalidValue(path, versions, `must include at least one of ${reviewVersions.join(', ')}`));
  return errors;
}

export const webhookColumns: readonly PrinterColumn<Configuration>[] = [
  nameColumn,
  column('Webhooks', ({ webhooks }) => webhooks?.length ?? 0, {
    type: 'integer',
    description: 'Number of webhooks in the configuration',
  }),
  ageColumn,
];
