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
import { invalidFor, optionalOneOf, repeatedIndexes, semanticEqual } from '../field-checks.ts';
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
const allSideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const reviewVersions = ['v1', 'v1beta1'];
const isReviewVersion = (version: string) => reviewVersions.includes(version);

export function defaultWebhook(webhook: Draft<ValidatingWebhook>): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  defaultRules(webhook.rules);
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= webhookServicePort;
}

/** What an update must not refuse because the stored object has it already: rules that came after the first webhooks. */
interface Tolerance {
  readonly sideEffects: boolean;
  readonly repeatedNames: boolean;
  readonly unknownReviewVersions: boolean;
  readonly labelValues: boolean;
  readonly matchConditions: boolean;
}

const strict: Tolerance = {
  sideEffects: false,
  repeatedNames: false,
  unknownReviewVersions: false,
  labelValues: false,
  matchConditions: false,
};

export function validateWebhooks(webhooks: readonly Webhook[] = [], old: readonly Webhook[] | undefined): FieldError[] {
  const tolerance = old ? toleranceOf(webhooks, old) : strict;
  const names = new Set<string>();
  return webhooks.flatMap((webhook, index) => {
    const path = webhooksPath.index(index);
    const errors = [
      ...validateWebhook(path, webhook, tolerance),
      ...validateReviewVersions(path, webhook, tolerance.unknownReviewVersions),
    ];
    if (!tolerance.repeatedNames && webhook.name && names.has(webhook.name))
      errors.push(duplicate(path.child('name'), webhook.name));
    names.add(webhook.name);
    return errors;
  });
}

function toleranceOf(webhooks: readonly Webhook[], old: readonly Webhook[]): Tolerance {
  const selectorErrors = old.flatMap(({ namespaceSelector, objectSelector }) => [
    ...validateLabelSelector(namespaceSelector, webhooksPath),
    ...validateLabelSelector(objectSelector, webhooksPath),
  ]);
  return {
    sideEffects: old.some(({ sideEffects }) => !harmless.includes(sideEffects)),
    repeatedNames: new Set(old.map(({ name }) => name)).size < old.length,
    unknownReviewVersions: old.some(({ admissionReviewVersions: versions = [] }) => !versions.some(isReviewVersion)),
    labelValues: selectorErrors.length > 0,
    matchConditions:
      webhooks.length === old.length &&
      webhooks.every((webhook, index) => semanticEqual(webhook.matchConditions, old[index]?.matchConditions)),
  };
}

function validateWebhook(path: FieldPath, webhook: Webhook, tolerance: Tolerance): FieldError[] {
  const { rules = [], sideEffects, timeoutSeconds: timeout } = webhook;
  const errors = [
    ...validateFullyQualifiedName(path.child('name'), webhook.name),
    ...rules.flatMap((rule, index) => validateRule(path.child('rules').index(index), rule)),
    ...optionalOneOf(path.child('failurePolicy'), webhook.failurePolicy, failurePolicies),
    ...optionalOneOf(path.child('matchPolicy'), webhook.matchPolicy, matchPolicies),
  ];
  const allowed = tolerance.sideEffects ? allSideEffects : harmless;
  if (sideEffects === undefined)
    errors.push(required(path.child('sideEffects'), `must specify one of ${allowed.join(', ')}`));
  else if (!allowed.includes(sideEffects)) errors.push(notSupported(path.child('sideEffects'), sideEffects, allowed));
  if (timeout !== undefined && (timeout > 30 || timeout < 1))
    errors.push(
      invalidValue(path.child('timeoutSeconds'), timeout, 'the timeout value must be between 1 and 30 seconds'),
    );
  const validateSelector = (field: 'namespaceSelector' | 'objectSelector') =>
    validateLabelSelector(webhook[field], path.child(field)).filter(
      (error) => !tolerance.labelValues || !/\.values\[\d+\]$/.test(error.field),
    );
  return [
    ...errors,
    ...validateSelector('namespaceSelector'),
    ...validateSelector('objectSelector'),
    ...optionalOneOf(path.child('reinvocationPolicy'), webhook.reinvocationPolicy, reinvocationPolicies),
    ...validateWebhookClientConfig(path.child('clientConfig'), webhook.clientConfig),
    ...(tolerance.matchConditions
      ? []
      : validateMatchConditions(path.child('matchConditions'), webhook.matchConditions)),
  ];
}

function validateReviewVersions(
  webhook: FieldPath,
  { admissionReviewVersions: versions = [] }: Webhook,
  tolerateUnknown: boolean,
): FieldError[] {
  const path = webhook.child('admissionReviewVersions');
  if (versions.length === 0) return [required(path, `must specify one of ${reviewVersions.join(', ')}`)];
  const repeated = repeatedIndexes(versions);
  const errors = versions.flatMap((version, index) =>
    repeated.has(index)
      ? [invalidValue(path.index(index), version, 'duplicate version')]
      : invalidFor(path.index(index), version, isDns1035Label(version)),
  );
  if (!tolerateUnknown && !versions.some(isReviewVersion))
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
