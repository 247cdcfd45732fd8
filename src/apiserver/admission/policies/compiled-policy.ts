import type { KindRegistry } from '../../../api/kind.ts';
import type {
  MatchCondition,
  MatchResources,
  ParamKind,
  ParamRef,
  Variable,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { Transport } from '../../../apimachinery/transport.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { Authorizer } from '../../../sdk/authorization.ts';
import { ExpressionCompiler } from '../../cel/expression.ts';
import { MatchConditions } from '../../cel/match-conditions.ts';
import { REQUEST_VARIABLES, requestVariables } from '../../cel/request-variables.ts';
import { jsonToCel } from '../../cel/values.ts';
import type { ObjectReader } from '../../object-reader.ts';
import { convertTo } from '../matching/equivalents.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { namespaceOf } from '../matching/selectors.ts';
import { ResourceMatch } from './policy-match.ts';
import { parametersOf, UnknownParamKindError } from './policy-parameters.ts';
import { PolicyVariables } from './policy-variables.ts';

export interface PolicyServices {
  readonly kinds: KindRegistry;
  readonly reader: ObjectReader;
  readonly transport: Transport;
  readonly authorizer: Authorizer;
}

/** What validating and mutating policies have in common. */
export interface PolicySpec {
  readonly matchConstraints?: MatchResources;
  readonly matchConditions?: readonly MatchCondition[];
  readonly paramKind?: ParamKind;
  readonly variables?: readonly Variable[];
  readonly failurePolicy?: string;
}

export interface BindingSpec {
  readonly matchResources?: MatchResources;
  readonly paramRef?: ParamRef;
}

/** One evaluation of a policy: the request and one of its parameters. */
export interface Evaluation {
  /** Namespace and name; empty without a parameter. */
  readonly parameter: string;
  readonly variables: Record<string, unknown>;
  /** The same for the object as it has become since. */
  again(): Promise<Record<string, unknown>>;
}

/** A policy or binding that does not fit the cluster or the request, in the words of upstream. */
export class PolicyConfigurationError extends Error {
  /** Of the policy itself, whatever the binding. */
  readonly ofPolicy: boolean;

  constructor(error: unknown) {
    const ofPolicy = error instanceof UnknownParamKindError;
    super(`failed to configure ${ofPolicy ? 'policy' : 'binding'}: ${(error as Error).message}`);
    this.ofPolicy = ofPolicy;
  }
}

export const POLICY_VARIABLES = [...REQUEST_VARIABLES, 'params', 'namespaceObject', 'variables'] as const;

/** A policy with its expressions compiled. */
export class CompiledPolicy {
  readonly spec: PolicySpec;
  readonly compiler = new ExpressionCompiler(POLICY_VARIABLES);
  readonly #services: PolicyServices;
  readonly #match: ResourceMatch;
  readonly #conditions: MatchConditions | undefined;
  readonly #variables: PolicyVariables;
  readonly #bindings = new WeakMap<BindingSpec, ResourceMatch>();

  constructor(services: PolicyServices, spec: PolicySpec) {
    this.#services = services;
    this.spec = spec;
    this.#match = new ResourceMatch(services.kinds, services.reader, spec.matchConstraints ?? {});
    this.#variables = new PolicyVariables(this.compiler, spec.variables);
    if (spec.matchConditions?.length) this.#conditions = new MatchConditions(spec.matchConditions, this.compiler);
  }

  get ignoresFailure(): boolean {
    return this.spec.failurePolicy === 'Ignore';
  }

  matches(attributes: AdmissionAttributes, object: UnstructuredObject | undefined): Promise<RequestMatch | undefined> {
    return this.#match.matches(attributes, object);
  }

  /** Whether a binding wants the policy for the request; its rules see the request as it came. */
  async binds(
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    object: UnstructuredObject | undefined,
  ): Promise<boolean> {
    if (!binding.matchResources) return true;
    let match = this.#bindings.get(binding);
    if (!match) {
      match = new ResourceMatch(this.#services.kinds, this.#services.reader, binding.matchResources);
      this.#bindings.set(binding, match);
    }
    return (await match.matches(attributes, object)) !== undefined;
  }

  /**
   * One evaluation for each parameter for which the conditions hold; an Error stands for conditions that could not be
   * evaluated. Throws PolicyConfigurationError.
   */
  async *evaluations(
    binding: BindingSpec,
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
  ): AsyncGenerator<Evaluation | Error> {
    const { kinds, transport, authorizer } = this.#services;
    const own = kinds.byResource(attributes.resource.group, attributes.resource.version, attributes.resource.resource);
    const inForm = async (given: UnstructuredObject | undefined) =>
      given && match.definition && own
        ? ((await convertTo(given, own, match.definition)) as UnstructuredObject)
        : given;
    const [parameters, oldObject] = await configured(() =>
      Promise.all([
        parametersOf(kinds, transport, this.spec.paramKind, binding.paramRef, attributes.namespace),
        inForm(attributes.oldObject),
      ]),
    );
    const namespaceObject = jsonToCel(await this.#namespaceObject(attributes));
    for (const parameter of parameters) {
      const params = parameter === undefined ? null : jsonToCel(parameter);
      const bind = async () => {
        const current = await configured(() => inForm(object));
        const known = requestVariables(attributes, match, { object: current, oldObject }, authorizer);
        return this.#variables.bind({ ...known, namespaceObject, params });
      };
      const variables = await bind();
      if (this.#conditions) {
        const result = await this.#conditions.evaluate(variables);
        if (result.error !== undefined) yield new Error(result.error);
        if (!result.matches) continue;
      }
      const { namespace = '', name = '' } = parameter?.metadata ?? {};
      yield { parameter: `${namespace}/${name}`, variables, again: bind };
    }
  }

  async #namespaceObject({ namespace, resource }: AdmissionAttributes): Promise<unknown> {
    if (namespace === '' || (resource.group === '' && resource.resource === 'namespaces')) return null;
    const { apiVersion, kind, metadata, ...rest } = await namespaceOf(this.#services.reader, namespace);
    const { managedFields: _, ...shown } = metadata;
    return { apiVersion, kind, metadata: shown, ...rest };
  }
}

async function configured<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new PolicyConfigurationError(error);
  }
}
