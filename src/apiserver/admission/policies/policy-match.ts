import type { KindRegistry } from '../../../api/kind.ts';
import type { MatchResources } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { ObjectReader } from '../../object-reader.ts';
import { matchRequest, type RequestMatch } from '../matching/request-match.ts';
import { isAdmissionConfiguration } from '../matching/rules.ts';
import { RequestSelectors } from '../matching/selectors.ts';

/** Reviews ask whether something may be done: policies do not decide on the question. */
const reviews = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
]);

export function isExemptFromPolicies(attributes: AdmissionAttributes): boolean {
  return (
    isAdmissionConfiguration(attributes) || reviews.has(`${attributes.resource.group}/${attributes.resource.resource}`)
  );
}

/** The `matchConstraints` of a policy or the `matchResources` of a binding. */
export class ResourceMatch {
  readonly #given: MatchResources;
  readonly #kinds: KindRegistry;
  readonly #selectors: RequestSelectors;

  constructor(kinds: KindRegistry, reader: ObjectReader, given: MatchResources) {
    this.#given = given;
    this.#kinds = kinds;
    this.#selectors = new RequestSelectors(reader, given.namespaceSelector, given.objectSelector);
  }

  /** `undefined`: it is not about the request. Without rules, which a binding need not have, it is about all. */
  async matches(
    attributes: AdmissionAttributes,
    object: UnstructuredObject | undefined,
  ): Promise<RequestMatch | undefined> {
    const { resourceRules, excludeResourceRules, matchPolicy = 'Equivalent' } = this.#given;
    if (!this.#selectors.matchesObject(object, attributes.oldObject)) return undefined;
    if (
      excludeResourceRules?.length &&
      matchRequest(this.#kinds, attributes, { rules: excludeResourceRules, matchPolicy })
    )
      return undefined;
    const match = resourceRules?.length
      ? matchRequest(this.#kinds, attributes, { rules: resourceRules, matchPolicy })
      : { kind: attributes.kind, resource: attributes.resource };
    return match && (await this.#selectors.matchesNamespace(attributes, object)) ? match : undefined;
  }
}
