import { type FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';
import { type Expression, ExpressionCompiler } from '../../cel/expression.ts';
import type { ConfigurationDocument } from './configuration-document.ts';
import { domainPrefixedPathErrors } from './domain-prefixed-path.ts';

/** Where a part of the user comes from: a claim, or an expression over `claims`. */
export type ClaimSource = { readonly claim: string; readonly prefix: string } | { readonly expression: Expression };

export interface ClaimMappings {
  readonly username: ClaimSource;
  readonly groups?: ClaimSource;
  readonly uid?: ClaimSource;
  readonly extra: readonly { readonly key: string; readonly expression: Expression }[];
}

export interface ValidationRule {
  readonly expression: Expression;
  readonly message: string;
}

interface ClaimRules {
  readonly requiredClaims: readonly (readonly [claim: string, value: string])[];
  readonly rules: readonly ValidationRule[];
}

/** An expression that stands for one that does not compile; the fault is noted, and the file refused. */
const NOTHING = { source: '', evaluate: () => undefined } as unknown as Expression;

/** Reads what an authenticator makes of a token's claims. */
export class ClaimMappingReader {
  readonly #document: ConfigurationDocument;
  readonly #claims = new ExpressionCompiler(['claims']);
  readonly #user = new ExpressionCompiler(['user']);
  #checksEmailVerified = false;

  constructor(document: ConfigurationDocument) {
    this.#document = document;
  }

  /** To be read before the mappings: a rule may be what checks `email_verified`. */
  claimRules(given: unknown, path: FieldPath): ClaimRules {
    const document = this.#document;
    const claims = new Set<string>();
    const expressions = new Set<string>();
    const requiredClaims: [string, string][] = [];
    const rules: ValidationRule[] = [];
    for (const item of document.list(given, path)) {
      const rule = document.fields(item.value, item.path, ['claim', 'requiredValue', 'expression', 'message']);
      const at = (name: string) => item.path.child(name);
      const text = (name: string) => document.text(rule[name], at(name));
      const [claim, source, message, requiredValue] = [
        text('claim'),
        text('expression'),
        text('message'),
        text('requiredValue'),
      ];
      if (claim !== '' && source !== '')
        document.errors.push(invalidValue(item.path, claim, "claim and expression can't both be set"));
      else if (claim === '' && source === '')
        document.errors.push(required(item.path, 'claim or expression is required'));
      else if (claim !== '') {
        if (message !== '')
          document.errors.push(invalidValue(at('message'), message, 'may not be specified when claim is set'));
        document.unique(claims, claim, at('claim'));
        requiredClaims.push([claim, requiredValue]);
      } else {
        if (requiredValue !== '')
          document.errors.push(
            invalidValue(at('requiredValue'), requiredValue, 'may not be specified when expression is set'),
          );
        if (!document.unique(expressions, source, at('expression'))) continue;
        rules.push({ expression: this.#compile(this.#claims, source, at('expression'), 'bool'), message });
        this.#checksEmailVerified ||= uses(source, 'email_verified');
      }
    }
    return { requiredClaims, rules };
  }

  userRules(given: unknown, path: FieldPath): readonly ValidationRule[] {
    const document = this.#document;
    const expressions = new Set<string>();
    const rules: ValidationRule[] = [];
    for (const item of document.list(given, path)) {
      const rule = document.fields(item.value, item.path, ['expression', 'message']);
      const at = item.path.child('expression');
      const source = document.text(rule.expression, at);
      if (source === '') document.errors.push(required(at));
      else if (document.unique(expressions, source, at))
        rules.push({
          expression: this.#compile(this.#user, source, at, 'bool'),
          message: document.text(rule.message, item.path.child('message')),
        });
    }
    return rules;
  }

  mappings(given: unknown, path: FieldPath): ClaimMappings {
    const document = this.#document;
    const fields = document.fields(given, path, ['username', 'groups', 'uid', 'extra']);
    const username = this.#prefixed(fields.username, path.child('username'), true);
    const groups = this.#prefixed(fields.groups, path.child('groups'), false);
    const uid = this.#uid(fields.uid, path.child('uid'));
    const extra = this.#extra(fields.extra, path.child('extra'));
    if (username && 'expression' in username) {
      const { source } = username.expression;
      if (uses(source, 'email') && !uses(source, 'email_verified') && !this.#checksEmailVerified)
        document.errors.push(
          invalidValue(
            path.child('username', 'expression'),
            source,
            'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
          ),
        );
    }
    return {
      username: username ?? { claim: '', prefix: '' },
      extra,
      ...(groups ? { groups } : {}),
      ...(uid ? { uid } : {}),
    };
  }

  #prefixed(given: unknown, path: FieldPath, isRequired: boolean): ClaimSource | undefined {
    const document = this.#document;
    const fields = document.fields(given, path, ['claim', 'prefix', 'expression']);
    const claim = document.text(fields.claim, path.child('claim'));
    const source = document.text(fields.expression, path.child('expression'));
    const prefix = document.optionalText(fields.prefix, path.child('prefix'));
    if (claim !== '' && source !== '') {
      document.errors.push(invalidValue(path, '', "claim and expression can't both be set"));
      return undefined;
    }
    if (source !== '') {
      if (prefix !== undefined)
        document.errors.push(invalidValue(path.child('prefix'), prefix, 'may not be specified when expression is set'));
      return { expression: this.#compile(this.#claims, source, path.child('expression')) };
    }
    if (claim !== '') {
      if (prefix === undefined)
        document.errors.push(
          required(
            path.child('prefix'),
            'prefix is required when claim is set. It can be set to an empty string to disable prefixing',
          ),
        );
      return { claim, prefix: prefix ?? '' };
    }
    if (isRequired) document.errors.push(required(path, 'claim or expression is required'));
    return undefined;
  }

  #uid(given: unknown, path: FieldPath): ClaimSource | undefined {
    const document = this.#document;
    const fields = document.fields(given, path, ['claim', 'expression']);
    const claim = document.text(fields.claim, path.child('claim'));
    const source = document.text(fields.expression, path.child('expression'));
    if (claim !== '' && source !== '')
      document.errors.push(invalidValue(path, '', "claim and expression can't both be set"));
    if (source !== '') return { expression: this.#compile(this.#claims, source, path.child('expression')) };
    return claim === '' ? undefined : { claim, prefix: '' };
  }

  #extra(given: unknown, path: FieldPath): { key: string; expression: Expression }[] {
    const document = this.#document;
    const keys = new Set<string>();
    return document.list(given, path).flatMap((item) => {
      const mapping = document.fields(item.value, item.path, ['key', 'valueExpression']);
      const keyPath = item.path.child('key');
      const key = document.text(mapping.key, keyPath);
      document.errors.push(...domainPrefixedPathErrors(keyPath, key));
      if (key !== key.toLowerCase()) document.errors.push(invalidValue(keyPath, key, 'must be lowercase'));
      if (/^([^/]*\.)?(kubernetes|k8s)\.io\//.test(key))
        document.errors.push(
          invalidValue(keyPath, key, 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use'),
        );
      if (!document.unique(keys, key, keyPath)) return [];
      const at = item.path.child('valueExpression');
      const source = document.text(mapping.valueExpression, at);
      if (source === '') {
        document.errors.push(required(at));
        return [];
      }
      this.#checksEmailVerified ||= uses(source, 'email_verified');
      return [{ key, expression: this.#compile(this.#claims, source, at) }];
    });
  }

  #compile(compiler: ExpressionCompiler, source: string, path: FieldPath, type?: 'bool'): Expression {
    try {
      const expression = compiler.compile(source);
      if (type !== undefined && expression.type !== type && expression.type !== 'dyn')
        this.#document.errors.push(invalidValue(path, source, `must evaluate to ${type}`));
      return expression;
    } catch (error) {
      this.#document.errors.push(invalidValue(path, source, `compilation failed: ${(error as Error).message}`));
      return NOTHING;
    }
  }
}

/** Whether an expression looks at `claims.NAME`, outside of strings. */
function uses(source: string, name: string): boolean {
  const code = source.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""');
  return new RegExp(`\\bclaims\\s*\\.\\s*\\??\\s*${name}\\b`).test(code);
}
