import { Optional } from '@marcbachmann/cel-js';
import type { RuleFindings } from '../../api/kind.ts';
import type { JSONSchemaProps, ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { FieldError, forbiddenField, invalidValue, required, showValue } from '../../apimachinery/field.ts';
import type { Correlation } from '../custom-resources/validation/correlate.ts';
import { BUDGET_EXCEEDED, budgetOf, OBJECT_STEPS } from './cost-budget.ts';
import type { Expression } from './expression.ts';
import { fieldPathSteps } from './field-path.ts';
import { COST_EXCEEDED } from './meter.ts';

export interface Rule {
  readonly given: ValidationRule;
  readonly expression: Expression;
  /** Looks at the old value. */
  readonly transition: boolean;
  readonly message: Expression | undefined;
}

/** The value at a place of an object, and what it was. */
export interface Place {
  readonly value: unknown;
  readonly cel: unknown;
  /** As transition rules have it: not of atomic maps and of lists without keys. */
  readonly old: unknown;
  readonly oldCel: unknown;
  /** What decides whether the failure of an unchanged value is excused: of the value, or of what is around it. */
  readonly correlation: Correlation | undefined;
  readonly correlated: boolean;
  readonly at: string;
}

/** A rule to evaluate at a place. */
export interface RuleApplication {
  readonly rule: Rule;
  readonly props: JSONSchemaProps;
  readonly place: Place;
}

type Outcome = { readonly value: unknown } | { readonly error: string };

const LOOK_AFTER_RULES = 50;
const LOOK_AFTER_STEPS = 5_000;

/** Evaluates the rules of one object one after the other, within one budget. */
export class RuleEvaluation {
  readonly #applications: Iterator<RuleApplication>;
  readonly #budget = budgetOf(OBJECT_STEPS);
  readonly #errors: FieldError[] = [];
  readonly #warnings: string[] = [];
  #stopped = false;
  #rulesToLook = LOOK_AFTER_RULES;
  #stepsToLook = OBJECT_STEPS - LOOK_AFTER_STEPS;

  constructor(applications: Iterator<RuleApplication>) {
    this.#applications = applications;
  }

  /** A promise once it has taken a turn of the event loop. */
  run(): RuleFindings | Promise<RuleFindings> {
    while (!this.#stopped) {
      const { done, value } = this.#applications.next();
      if (done) break;
      const pending = this.#isTurnOver()
        ? this.#budget.turns!.next().then(() => this.#apply(value))
        : this.#apply(value);
      if (pending) return pending.then(() => this.run());
    }
    return { errors: this.#errors, warnings: this.#warnings };
  }

  /** The clock is looked at after some rules, or some steps. */
  #isTurnOver(): boolean {
    if (--this.#rulesToLook > 0 && this.#budget.left > this.#stepsToLook) return false;
    this.#rulesToLook = LOOK_AFTER_RULES;
    this.#stepsToLook = this.#budget.left - LOOK_AFTER_STEPS;
    return this.#budget.turns!.over;
  }

  #apply(application: RuleApplication): Promise<void> | undefined {
    const variables = variablesOf(application);
    const outcome = this.#evaluate(application.rule.expression, variables);
    if (outcome instanceof Promise) return outcome.then((result) => this.#judge(application, variables, result));
    return this.#judge(application, variables, outcome);
  }

  #evaluate(expression: Expression, variables: Readonly<Record<string, unknown>>): Outcome | Promise<Outcome> {
    const failed = (error: unknown) => ({ error: (error as Error).message });
    try {
      const value = expression.evaluate(variables, this.#budget);
      return value instanceof Promise ? value.then((result) => ({ value: result }), failed) : { value };
    } catch (error) {
      return failed(error);
    }
  }

  #judge(
    application: RuleApplication,
    variables: Readonly<Record<string, unknown>>,
    outcome: Outcome,
  ): Promise<void> | undefined {
    const { rule, props } = application;
    const place = application.place.at || '<nil>';
    const kind = props.type ?? '';
    if (this.#budget.left < 0 || ('error' in outcome && this.#budget.left <= 0)) {
      this.#stop(invalidValue(place, kind, BUDGET_EXCEEDED));
      return undefined;
    }
    if ('error' in outcome) {
      const { error } = outcome;
      if (error.startsWith(COST_EXCEEDED))
        this.#stop(
          invalidValue(
            place,
            kind,
            `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${shownRule(rule.given)}`,
          ),
        );
      else this.#errors.push(invalidValue(place, kind, failedEvaluation(error, rule.given)));
      return undefined;
    }
    if (outcome.value === true) return undefined;
    if (!rule.message) {
      this.#fail(application, fixedMessage(rule.given));
      return undefined;
    }
    const message = this.#evaluate(rule.message, variables);
    if (message instanceof Promise) return message.then((result) => this.#failWith(application, result));
    this.#failWith(application, message);
    return undefined;
  }

  #failWith(application: RuleApplication, message: Outcome): void {
    const { given } = application.rule;
    const place = placeOf(application);
    const kind = application.props.type ?? '';
    if (this.#budget.left < 0)
      this.#stop(
        invalidValue(
          place,
          kind,
          'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run',
        ),
        application,
      );
    else if ('error' in message && message.error.startsWith(COST_EXCEEDED))
      this.#stop(
        invalidValue(
          place,
          kind,
          `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${showValue(given.messageExpression)}`,
        ),
        application,
      );
    else this.#fail(application, ('value' in message ? usableText(message.value) : undefined) ?? fixedMessage(given));
  }

  #fail(application: RuleApplication, message: string): void {
    this.#report(application, failure(application, message));
  }

  #stop(error: FieldError, application?: RuleApplication): void {
    this.#stopped = true;
    if (application) this.#report(application, error);
    else this.#errors.push(error);
  }

  #report({ rule, place }: RuleApplication, error: FieldError): void {
    if (!rule.transition && place.correlation?.equal) this.#warnings.push(String(error));
    else this.#errors.push(error);
  }
}

function variablesOf({ rule, place: { cel, old, oldCel } }: RuleApplication): Readonly<Record<string, unknown>> {
  const known = old !== undefined && old !== null;
  if (rule.given.optionalOldSelf) return { self: cel, oldSelf: known ? Optional.of(oldCel) : Optional.none() };
  return known ? { self: cel, oldSelf: oldCel } : { self: cel };
}

function failure(application: RuleApplication, message: string): FieldError {
  const { props, rule } = application;
  const { value } = application.place;
  const where = placeOf(application);
  // Of objects and lists the value is not shown.
  const whole = props.type === 'object' || props.type === 'array' || typeof value === 'object';
  const shown = whole ? '' : `: ${showValue(value)}`;
  switch (rule.given.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(where, message);
    case 'FieldValueRequired':
      return required(where, message);
    case 'FieldValueDuplicate':
      return new FieldError('FieldValueDuplicate', where, `Duplicate value${shown}`);
    default:
      return whole
        ? new FieldError('FieldValueInvalid', where, `Invalid value: ${message}`)
        : invalidValue(where, value, message);
  }
}

function failedEvaluation(why: string, given: ValidationRule): string {
  if (why.startsWith('no such overload'))
    return `'${why}': call arguments did not match a supported operator, function or macro signature for rule: ${shownRule(given)}`;
  return `${why} evaluating rule: ${shownRule(given)}`;
}

/** A rule as messages show it: its own message, or itself. */
const shownRule = ({ rule, message }: ValidationRule) => (message || rule).trim();

const fixedMessage = ({ rule, message }: ValidationRule) => (message ? message.trim() : `failed rule: ${rule.trim()}`);

/** A message that was computed, when it is a line of text that is not too long. */
function usableText(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  return text === '' || text.includes('\n') || Buffer.byteLength(text) > 5 * 1024 ? undefined : text;
}

/** The field that a rule names, below its own place. */
function placeOf({ place: { at }, rule, props }: RuleApplication): string {
  const { fieldPath } = rule.given;
  if (!fieldPath) return at || '<nil>';
  try {
    return fieldPathSteps(props, fieldPath).reduce(
      (place, { name, isField }) => (isField ? (place === '' ? name : `${place}.${name}`) : `${place}[${name}]`),
      at,
    );
  } catch {
    return at || '<nil>';
  }
}
