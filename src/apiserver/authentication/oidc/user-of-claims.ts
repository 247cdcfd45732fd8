import type { UserInfo } from '../../../sdk/user.ts';
import type { Expression } from '../../cel/expression.ts';
import { celToJson, jsonToCel } from '../../cel/values.ts';
import type { JwtAuthenticatorConfiguration } from '../configuration/authentication-configuration.ts';
import type { ClaimSource, ValidationRule } from '../configuration/claim-mappings.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** The user that the claims of a verified token stand for. Throws an Error in upstream's words when they stand for none. */
export function userOfClaims(configuration: JwtAuthenticatorConfiguration, claims: Claims): UserInfo {
  const { claimMappings } = configuration;
  const variables = { claims: jsonToCel(claims) };
  const name = usernameOf(claimMappings.username, claims, variables);
  const groups = claimMappings.groups ? groupsOf(claimMappings.groups, claims, variables) : [];
  const uid = claimMappings.uid ? uidOf(claimMappings.uid, claims, variables) : '';
  const extra = Object.fromEntries(
    claimMappings.extra
      .map(({ key, expression }) => [key, strings(expression, variables, 'extra')] as const)
      .filter(([, values]) => values.length > 0),
  );
  checkRequiredClaims(configuration, claims);
  check(configuration.claimValidationRules, variables, 'claim validation expression');
  const user = { username: name, uid, groups, extra };
  check(configuration.userValidationRules, { user: jsonToCel(user) }, 'user info validation rule');
  if (name === '') throw new Error('oidc: the username is empty');
  return { name, groups, ...(uid ? { uid } : {}), ...(Object.keys(extra).length ? { extra } : {}) };
}

type Variables = Readonly<Record<string, unknown>>;

function usernameOf(source: ClaimSource, claims: Claims, variables: Variables): string {
  if ('expression' in source) return oneString(source.expression, variables, 'username');
  const name = claimText(claims, source.claim, 'username claims');
  if (source.claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
    if (typeof claims.email_verified !== 'boolean')
      throw new Error("oidc: parse 'email_verified' claim: it is no boolean");
    if (!claims.email_verified) throw new Error('oidc: email not verified');
  }
  return source.prefix + name;
}

function groupsOf(source: ClaimSource, claims: Claims, variables: Variables): readonly string[] {
  if ('expression' in source) return strings(source.expression, variables, 'group');
  if (!Object.hasOwn(claims, source.claim)) return [];
  const value = claims[source.claim];
  const groups = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(groups) || groups.some((group) => typeof group !== 'string'))
    throw new Error(`oidc: parse groups claim ${JSON.stringify(source.claim)}: it is no string and no list of strings`);
  return (groups as readonly string[]).map((group) => source.prefix + group);
}

function uidOf(source: ClaimSource, claims: Claims, variables: Variables): string {
  return 'expression' in source
    ? oneString(source.expression, variables, 'uid')
    : claimText(claims, source.claim, 'uid claim');
}

function claimText(claims: Claims, claim: string, what: string): string {
  if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: parse ${what} ${JSON.stringify(claim)}: claim not present`);
  const value = claims[claim];
  if (typeof value !== 'string') throw new Error(`oidc: parse ${what} ${JSON.stringify(claim)}: it is no string`);
  return value;
}

function oneString(expression: Expression, variables: Variables, what: string): string {
  const value = evaluate(expression, variables, `${what} claim expression`);
  if (typeof value !== 'string')
    throw new Error(`oidc: error evaluating ${what} claim expression: ${what} claim expression must return a string`);
  return value;
}

/** A string counts as a list of one, and empty ones are left out. */
function strings(expression: Expression, variables: Variables, what: string): readonly string[] {
  const value = celToJson(evaluate(expression, variables, `${what} claim expression`));
  if (value === null || value === undefined || value === '') return [];
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
    throw new Error(
      `oidc: error evaluating ${what} claim expression: expression must return a string or a list of strings`,
    );
  return (value as readonly string[]).filter((item) => item !== '');
}

function evaluate(expression: Expression, variables: Variables, what: string): unknown {
  try {
    return expression.evaluate(variables);
  } catch (error) {
    throw new Error(
      `oidc: error evaluating ${what}: expression '${expression.source}' resulted in error: ${(error as Error).message}`,
    );
  }
}

function checkRequiredClaims({ requiredClaims }: JwtAuthenticatorConfiguration, claims: Claims): void {
  for (const [claim, wanted] of requiredClaims) {
    if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: required claim ${claim} not present in ID token`);
    const value = claims[claim];
    if (typeof value !== 'string') throw new Error(`oidc: parse claim ${claim}: it is no string`);
    if (value !== wanted)
      throw new Error(`oidc: required claim ${claim} value does not match. Got = ${value}, want = ${wanted}`);
  }
}

function check(rules: readonly ValidationRule[], variables: Variables, what: string): void {
  for (const { expression, message } of rules) {
    const value = evaluate(expression, variables, what);
    if (typeof value !== 'boolean')
      throw new Error(`oidc: error evaluating ${what}: validation expression must return a boolean`);
    if (!value)
      throw new Error(
        `oidc: error evaluating ${what}: validation expression '${expression.source}' failed: ${message}`,
      );
  }
}
