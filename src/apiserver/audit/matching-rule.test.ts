import { expect, it } from 'vitest';
import { parseRequestInfo } from '../request/request-info.ts';
import { readAuditPolicy } from './audit-policy.ts';
import { matchingRule } from './matching-rule.ts';

const policyOf = (...rules: object[]) => ({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules });
const ann = { name: 'ann', groups: ['dev', 'system:authenticated'] };

it.each([
  [{ users: ['ann'] }, 'GET', '/healthz', true],
  [{ users: ['bob'] }, 'GET', '/healthz', false],
  [{ userGroups: ['ops', 'dev'] }, 'GET', '/api/v1/pods', true],
  [{ userGroups: ['ops'] }, 'GET', '/api/v1/pods', false],
  [{ verbs: ['list'] }, 'GET', '/api/v1/pods', true],
  [{ verbs: ['get'] }, 'GET', '/api/v1/pods', false],
  [{ namespaces: ['a'] }, 'GET', '/api/v1/namespaces/a/pods', true],
  [{ namespaces: [''] }, 'GET', '/api/v1/nodes', true],
  [{ namespaces: ['a'] }, 'GET', '/healthz', false],
  [{ resources: [{ group: 'apps' }] }, 'GET', '/apis/apps/v1/deployments', true],
  [{ resources: [{ group: '' }] }, 'GET', '/apis/apps/v1/deployments', false],
  [{ resources: [{ resources: ['pods'] }] }, 'GET', '/api/v1/namespaces/a/pods/p/log', false],
  [{ resources: [{ resources: ['pods/log'] }] }, 'GET', '/api/v1/namespaces/a/pods/p/log', true],
  [{ resources: [{ resources: ['*'] }] }, 'GET', '/api/v1/namespaces/a/pods/p/log', true],
  [{ resources: [{ resources: ['pods/*'] }] }, 'GET', '/api/v1/namespaces/a/pods/p', true],
  [{ resources: [{ resources: ['*/status'] }] }, 'PUT', '/api/v1/namespaces/a/pods/p/status', true],
  [{ resources: [{ resources: ['*/status'] }] }, 'PUT', '/api/v1/namespaces/a/pods/p', false],
  [{ resources: [{ resources: ['pods'], resourceNames: ['p'] }] }, 'GET', '/api/v1/namespaces/a/pods/p', true],
  [{ resources: [{ resources: ['pods'], resourceNames: ['q'] }] }, 'GET', '/api/v1/namespaces/a/pods/p', false],
  [{ nonResourceURLs: ['/healthz*'] }, 'GET', '/healthz/ping', true],
  [{ nonResourceURLs: ['*'] }, 'GET', '/version', true],
  [{ nonResourceURLs: ['*'] }, 'GET', '/api/v1/pods', false],
])('%j and %s %s: %s', (rule, method, path, expected) => {
  const policy = readAuditPolicy(policyOf({ level: 'Metadata', ...rule }));
  expect(matchingRule(policy, parseRequestInfo(method, path, new URLSearchParams()), ann) !== undefined).toBe(expected);
});

it('the first rule that matches counts, and users are nobody without authentication', () => {
  const policy = readAuditPolicy(policyOf({ level: 'None', users: ['ann'] }, { level: 'Request' }));
  const info = parseRequestInfo('GET', '/api/v1/pods', new URLSearchParams());
  expect(matchingRule(policy, info, ann)?.level).toBe('None');
  expect(matchingRule(policy, info, undefined)?.level).toBe('Request');
});

it.each([
  [policyOf(), 'rules: '],
  [policyOf({}), 'rules[0].level: Required value'],
  [policyOf({ level: 'All' }), 'rules[0].level: Unsupported value: "All"'],
  [policyOf({ level: 'None', omitStages: ['Done'] }), 'rules[0].omitStages[0]: '],
  [policyOf({ level: 'None', nonResourceURLs: ['/a'], namespaces: ['b'] }), 'rules[0].nonResourceURLs: '],
  [policyOf({ level: 'None', nonResourceURLs: ['/*/a'] }), 'rules[0].nonResourceURLs[0]: '],
  [policyOf({ level: 'None', resources: [{ resourceNames: ['a'] }] }), 'rules[0].resources[0].resourceNames: '],
  [policyOf({ level: 'None', verb: ['get'] }), 'rules[0]: unknown field "verb"'],
  [{ ...policyOf({ level: 'None' }), apiVersion: 'audit.k8s.io/v1beta1' }, 'apiVersion: expected audit.k8s.io/v1'],
])('%j is refused', (document, message) => {
  expect(() => readAuditPolicy(document)).toThrow(message);
});
