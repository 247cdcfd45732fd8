import { duplicate, FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { validateLabelName } from '../../apimachinery/labels.ts';
import { isConfigMapKey, isDns1123Label, isDns1123Subdomain, isLabelValue } from '../../apimachinery/names.ts';
import { invalidFor, requiredOneOf } from '../field-checks.ts';
import type { ConfigMapNodeConfigSource, Node, NodeConfigSource, Taint } from '../types/core.v1.gen.ts';
import { internalForm } from './internal-form.ts';
import { isDualStack, validateLegacyCIDR } from './legacy-addresses.ts';
import { validateResourceAmount } from './pod-spec/resources.ts';
import { taintEffects } from './pod-spec/scheduling.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');
const metadata = FieldPath.of('metadata');

/** Some paths are upstream's, not where the field is. */
export function validateNode(node: Node): FieldError[] {
  const { capacity } = node.status?.nodeInfo?.swap ?? {};
  const ranges = node.spec?.podCIDRs ?? [];
  const errors = [
    ...validateTaints(node.spec?.taints, metadata.child('taints')),
    ...validateAmounts(node),
    ...(capacity !== undefined && capacity <= 0
      ? [invalidValue(metadata.child('nodeSwapStatus', 'capacity'), capacity, 'must be greater than zero')]
      : []),
    ...validateDeclaredFeatures(node),
    ...ranges.flatMap((range, index) => validateLegacyCIDR(spec.child('podCIDRs').index(index), range)),
  ];
  if (ranges.length > 1 && (ranges.length > 2 || !isDualStack(ranges)))
    errors.push(invalidValue(spec.child('podCIDRs'), ranges, 'may specify no more than one CIDR for each IP family'));
  return errors;
}

export function validateTaints(taints: readonly Taint[] | undefined, path: FieldPath): FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const at = path.index(index);
    const { key = '', value = '', effect } = taint;
    const errors = validateLabelName(key, at.child('key'));
    const messages = isLabelValue(value);
    if (messages.length > 0) errors.push(invalidValue(at.child('value'), value, messages.join(';')));
    errors.push(...requiredOneOf(at.child('effect'), effect, taintEffects));
    const pair = `${effect}/${key}`;
    if (seen.has(pair)) {
      const { field, body } = duplicate(at, internalForm('Taint', taint));
      errors.push(
        new FieldError('FieldValueDuplicate', field, `${body}: taints must be unique by key and effect pair`),
      );
    }
    seen.add(pair);
    return errors;
  });
}

function validateAmounts(node: Node): FieldError[] {
  return (['capacity', 'allocatable'] as const).flatMap((list) =>
    Object.entries(node.status?.[list] ?? {}).flatMap(([name, amount]) =>
      validateResourceAmount(name, amount, status.child(list, name)),
    ),
  );
}

const MAX_FEATURE_LENGTH = 253;
const featureShape = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;

function validateDeclaredFeatures(node: Node): FieldError[] {
  const features = node.status?.declaredFeatures ?? [];
  return features.flatMap((feature, index) => {
    const at = status.child('declaredFeatures');
    const errors: FieldError[] = [];
    const refuse = (why: string) =>
      errors.push(invalidValue(at.index(index), feature, `invalid feature name ${JSON.stringify(feature)}: ${why}`));
    if (feature.length > MAX_FEATURE_LENGTH) refuse(`must be no more than ${MAX_FEATURE_LENGTH} characters`);
    else if (!featureShape.test(feature))
      refuse(
        "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes",
      );
    const next = features[index + 1];
    if (next === feature) errors.push(duplicate(at.index(index + 1), next));
    else if (next !== undefined && feature > next)
      errors.push(invalidValue(at.index(index + 1), next, 'list must be sorted alphabetically'));
    return errors;
  });
}

/** Of the node and of its status alike. */
export function validateNodeUpdate(node: Node, old: Node): FieldError[] {
  const errors = [...validateAmounts(node), ...validateDeclaredFeatures(node)];
  const addresses = new Set<string>();
  node.status?.addresses?.forEach((address, index) => {
    const key = `${address.type}/${address.address}`;
    if (addresses.has(key))
      errors.push(duplicate(status.child('addresses').index(index), internalForm('NodeAddress', address)));
    addresses.add(key);
  });
  const ranges = node.spec?.podCIDRs ?? [];
  const before = old.spec?.podCIDRs ?? [];
  const moved = () =>
    errors.push(forbiddenField(spec.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid'));
  if (before.length > 0 && before.length !== ranges.length) moved();
  else
    before.forEach((range, index) => {
      if (range !== ranges[index]) moved();
    });
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID)
    errors.push(
      forbiddenField(spec.child('providerID'), 'node updates may not change providerID except from "" to valid'),
    );
  errors.push(...validateConfigSource(node.spec?.configSource, spec.child('configSource'), false));
  for (const which of ['assigned', 'active', 'lastKnownGood'] as const)
    errors.push(...validateConfigSource(node.status?.config?.[which], status.child('config', which), true));
  errors.push(...validateTaints(node.spec?.taints, metadata.child('taints')));
  if ((node.spec?.externalID ?? '') !== (old.spec?.externalID ?? ''))
    errors.push(forbiddenField(spec.child('externalID'), 'may not be updated'));
  return errors;
}

/** Nothing uses it any more. A status says which ConfigMap it was (`resolved`), a spec does not. */
function validateConfigSource(source: NodeConfigSource | undefined, path: FieldPath, resolved: boolean): FieldError[] {
  if (!source) return [];
  if (source.configMap) return validateConfigMapSource(source.configMap, path.child('configMap'), resolved);
  return [
    invalidValue(path, internalForm('NodeConfigSource', source), 'exactly one reference subfield must be non-nil'),
  ];
}

function validateConfigMapSource(source: ConfigMapNodeConfigSource, path: FieldPath, resolved: boolean): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['uid', 'resourceVersion'] as const) {
    if (resolved && !source[field]) errors.push(required(path.child(field)));
    if (!resolved && source[field]) errors.push(forbiddenField(path.child(field), `${field} must not be set in spec`));
  }
  const check = (field: 'namespace' | 'name' | 'kubeletConfigKey', validate: (value: string) => string[]) => {
    const value = source[field];
    errors.push(...(value ? invalidFor(path.child(field), value, validate(value)) : [required(path.child(field))]));
  };
  check('namespace', isDns1123Label);
  check('name', isDns1123Subdomain);
  check('kubeletConfigKey', isConfigMapKey);
  return errors;
}
