import { Environment } from '@marcbachmann/cel-js';
import { registerAuthorizer } from './library/authorizer.ts';
import { registerCollections } from './library/collections.ts';
import { registerJsonPatches } from './library/json-patches.ts';
import { registerMacros } from './library/macros.ts';
import { registerNamedFormats } from './library/named-formats.ts';
import { registerNetworkAddresses } from './library/network-addresses.ts';
import { registerOptionals } from './library/optionals.ts';
import { registerQuantities } from './library/quantities.ts';
import { registerSemanticVersions } from './library/semantic-versions.ts';
import { registerStrings } from './library/strings.ts';
import { registerTypeNames } from './library/type-names.ts';
import { registerUrls } from './library/urls.ts';
import type { Meter } from './meter.ts';

interface RunnableNode {
  /** A step of a loop, which may be a promise. */
  readonly mayWait?: true;
  evaluate(...args: unknown[]): unknown;
}

interface Evaluator {
  run(node: RunnableNode, scope: unknown): unknown;
}

const PROBE = '@evaluator';
const LIMITS = { maxAstNodes: 20_000, maxDepth: 200, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 };

// Pure cache: the environment with Kubernetes' libraries never changes once it has been cloned.
let libraries: { readonly environment: Environment; evaluator: Evaluator | undefined } | undefined;

function base() {
  if (libraries) return libraries;
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  registerStrings(environment);
  registerCollections(environment);
  registerQuantities(environment);
  registerNetworkAddresses(environment);
  registerUrls(environment);
  registerSemanticVersions(environment);
  registerNamedFormats(environment);
  registerAuthorizer(environment);
  registerJsonPatches(environment);
  registerOptionals(environment);
  registerMacros(environment);
  registerTypeNames(environment);
  const made = { environment, evaluator: undefined as Evaluator | undefined };
  // The evaluator is the library's own affair, but macros see it: that is where steps are counted.
  environment.registerFunction('k8tsEvaluator(ast): bool', (() => ({
    typeCheck: (checker: { getType(name: string): unknown }) => checker.getType('bool'),
    evaluate(evaluator: Evaluator) {
      made.evaluator = evaluator;
      return true;
    },
  })) as never);
  libraries = made;
  return made;
}

/** An environment in which expressions see `variables`, of any type, and `optional` ones, and take the steps that `meter` allows. */
export function createEnvironment(
  variables: readonly string[],
  optional: readonly string[],
  meter: Meter,
): Environment {
  const shared = base();
  const environment = shared.environment.clone();
  for (const name of variables) environment.registerVariable(name, 'dyn');
  for (const name of optional) environment.registerVariable(name, 'optional<dyn>');
  environment.evaluate(`k8tsEvaluator(${JSON.stringify(PROBE)})`);
  const evaluator = shared.evaluator!;
  shared.evaluator = undefined;
  evaluator.run = (node, scope) => {
    if (--meter.slice < 0) {
      const later = meter.next(node.mayWait === true);
      if (later) return later.then(() => node.evaluate(evaluator, node, scope));
    }
    return node.evaluate(evaluator, node, scope);
  };
  return environment;
}
