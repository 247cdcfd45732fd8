import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import { isQuantity, parseQuantity } from '../../apimachinery/quantity.ts';
import { defineKind } from '../define.ts';
import { atLeastZero, nonNegative, optionalOneOf } from '../field-checks.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
} from '../types/autoscaling.v2.gen.ts';
import { defaultAutoscaler } from './defaults.ts';
import { autoscalerColumns } from './metric-columns.ts';
import { apiVersionProblem, validateMetrics, validateObjectReference } from './metrics.ts';
import { withoutRoundTripAnnotations } from './v1-conversion.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');
const maxPeriodSeconds = 1800;
const maxWindowSeconds = 3600;

export const horizontalPodAutoscaler = defineKind<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  default: (object) => {
    defaultAutoscaler(object);
    const annotations = withoutRoundTripAnnotations(object.metadata?.annotations);
    if (annotations) object.metadata.annotations = annotations;
    else delete object.metadata?.annotations;
  },
  validate: validateAutoscaler,
  validateCreate: (object) => validateApiVersions(object),
  validateUpdate: validateApiVersions,
  subresources: {
    status: {
      validateUpdate: ({ status: current }) => [
        ...nonNegative(status.child('currentReplicas'), current?.currentReplicas),
        ...nonNegative(status.child('desiredReplicas'), current?.desiredReplicas),
      ],
    },
  },
  columns: autoscalerColumns<HorizontalPodAutoscaler>((object) => object),
});

/** An autoscaler that could go down to nothing before may still do so. */
export function validateAutoscaler(
  { spec: given }: HorizontalPodAutoscaler,
  old?: HorizontalPodAutoscaler,
): FieldError[] {
  const {
    minReplicas,
    maxReplicas = 0,
    scaleTargetRef,
    metrics,
    behavior,
  } = given ?? ({} as Partial<HorizontalPodAutoscalerSpec>);
  const errors: FieldError[] = [];
  const fewest = old?.spec?.minReplicas === 0 ? 0 : 1;
  if (minReplicas !== undefined && minReplicas < fewest)
    errors.push(invalidValue(spec.child('minReplicas'), minReplicas, `must be greater than or equal to ${fewest}`));
  if (maxReplicas === 0) errors.push(required(spec.child('maxReplicas'), 'must be set and greater than 0'));
  if (maxReplicas < 0)
    errors.push(invalidValue(spec.child('maxReplicas'), maxReplicas, 'must be greater than or equal to 1'));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalidValue(spec.child('maxReplicas'), maxReplicas, 'must be greater than or equal to `minReplicas`'));
  return [
    ...errors,
    ...validateObjectReference(spec.child('scaleTargetRef'), scaleTargetRef),
    ...validateMetrics(spec.child('metrics'), metrics ?? [], minReplicas),
    ...validateRules(spec.child('behavior', 'scaleUp'), behavior?.scaleUp),
    ...validateRules(spec.child('behavior', 'scaleDown'), behavior?.scaleDown),
  ];
}

/**
 * Of the objects referred to. An update may leave the target as it is, and metrics as bad as they are.
 */
export function validateApiVersions(
  { spec: given }: HorizontalPodAutoscaler,
  old?: HorizontalPodAutoscaler,
): FieldError[] {
  const objectsOf = (autoscaler: HorizontalPodAutoscaler['spec'] | undefined) =>
    (autoscaler?.metrics ?? []).flatMap(({ type, object }, index) =>
      type === 'Object' && object
        ? [{ path: spec.child('metrics').index(index).child('object', 'describedObject'), of: object.describedObject }]
        : [],
    );
  const check = (path: FieldPath, reference: CrossVersionObjectReference | undefined, core?: boolean) => {
    const problem = apiVersionProblem(reference, core);
    return problem ? [invalidValue(path.child('apiVersion'), reference?.apiVersion ?? '', problem)] : [];
  };
  const now = given?.scaleTargetRef;
  const was = old?.spec?.scaleTargetRef;
  const keepsTarget = old !== undefined && now?.kind === was?.kind && now?.apiVersion === was?.apiVersion;
  const badMetrics = objectsOf(old?.spec).some(({ of }) => apiVersionProblem(of, true));
  return [
    ...(keepsTarget ? [] : check(spec.child('scaleTargetRef'), now)),
    ...(badMetrics ? [] : objectsOf(given).flatMap(({ path, of }) => check(path, of, true))),
  ];
}

function validateRules(path: FieldPath, rules: HPAScalingRules | undefined): FieldError[] {
  if (!rules) return [];
  const errors: FieldError[] = [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  if (window !== undefined && window < 0)
    errors.push(
      invalidValue(path.child('stabilizationWindowSeconds'), window, 'must be greater than or equal to zero'),
    );
  if (window !== undefined && window > maxWindowSeconds)
    errors.push(
      invalidValue(
        path.child('stabilizationWindowSeconds'),
        window,
        `must be less than or equal to ${maxWindowSeconds}`,
      ),
    );
  errors.push(...optionalOneOf(path.child('selectPolicy'), selectPolicy, ['Disabled', 'Max', 'Min']));
  if (policies.length === 0) errors.push(required(path.child('policies'), 'must specify at least one Policy'));
  policies.forEach(({ type, value, periodSeconds }, index) => {
    const at = path.child('policies').index(index);
    if (type !== 'Pods' && type !== 'Percent') errors.push(notSupported(at.child('type'), type, ['Percent', 'Pods']));
    if (value <= 0) errors.push(invalidValue(at.child('value'), value, 'must be greater than zero'));
    if (periodSeconds <= 0)
      errors.push(invalidValue(at.child('periodSeconds'), periodSeconds, 'must be greater than zero'));
    if (periodSeconds > maxPeriodSeconds)
      errors.push(
        invalidValue(at.child('periodSeconds'), periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`),
      );
  });
  if (tolerance !== undefined && isQuantity(tolerance) && parseQuantity(tolerance).sign() < 0)
    errors.push(invalidValue(path.child('tolerance'), tolerance, atLeastZero));
  return errors;
}
