import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import type { ResourceHooks } from '../registry/resource-hooks.ts';

const GROUP = 'admissionregistration.k8s.io';
const KINDS = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'MutatingAdmissionPolicy',
  'ValidatingAdmissionPolicy',
];

/** Webhooks and policies with expressions that do not compile are refused when they are written; by `group/resource`. */
export function expressionHooks(): readonly (readonly [string, ResourceHooks])[] {
  return KINDS.map((kind) => [`${GROUP}/${kind.toLowerCase().replace(/y$/, 'ie')}s`, hooksOf(kind)]);
}

function hooksOf(kind: string): ResourceHooks {
  const check = async (object: object, old: object | undefined): Promise<undefined> => {
    const { metadata, spec, webhooks } = object as Configured;
    const before = old as Configured | undefined;
    if (deepEqual(spec ?? webhooks, before?.spec ?? before?.webhooks) || !hasExpression(spec ?? webhooks)) return;
    const { checkExpressions } = await import('./check-expressions.ts');
    const errors = checkExpressions({ spec, webhooks });
    if (errors.length) throw invalid({ group: GROUP, kind }, metadata.name, errors);
  };
  return { beginCreate: (object) => check(object, undefined), beginUpdate: check };
}

interface Configured {
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
  readonly webhooks?: unknown;
}

/** The engine for expressions is loaded for those that have some. */
function hasExpression(value: unknown): boolean {
  return value !== undefined && /"(?:e|messageE|valueE)xpression":/.test(JSON.stringify(value));
}
