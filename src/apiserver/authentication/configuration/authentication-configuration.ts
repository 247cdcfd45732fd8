import { X509Certificate } from 'node:crypto';
import { FieldPath, invalidValue, required, tooMany } from '../../../apimachinery/field.ts';
import { ClaimMappingReader, type ClaimMappings, type ValidationRule } from './claim-mappings.ts';
import { ConfigurationDocument } from './configuration-document.ts';

/** An `AuthenticationConfiguration` of `apiserver.config.k8s.io`, checked, its expressions compiled. */
export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtAuthenticatorConfiguration[];
  readonly anonymous?: AnonymousConfiguration;
}

export interface AnonymousConfiguration {
  readonly enabled: boolean;
  /** Every path when there is none. */
  readonly paths: readonly string[];
}

export interface JwtAuthenticatorConfiguration {
  readonly issuer: Issuer;
  readonly claimMappings: ClaimMappings;
  /** By claim: the value that it must have. */
  readonly requiredClaims: readonly (readonly [claim: string, value: string])[];
  readonly claimValidationRules: readonly ValidationRule[];
  readonly userValidationRules: readonly ValidationRule[];
}

export interface Issuer {
  readonly url: string;
  readonly discoveryURL?: string;
  readonly audiences: readonly string[];
  /** PEM; the host's authorities when absent. */
  readonly certificateAuthority?: string;
}

const ISSUER_FIELDS = [
  'url',
  'discoveryURL',
  'audiences',
  'audienceMatchPolicy',
  'certificateAuthority',
  'egressSelectorType',
];
const JWT_FIELDS = ['issuer', 'claimValidationRules', 'claimMappings', 'userValidationRules'];
const MAX_AUTHENTICATORS = 64;

/** `given` is the parsed file. `disallowedIssuers` are those of ServiceAccount tokens. Throws ConfigurationFault. */
export function readAuthenticationConfiguration(
  given: unknown,
  disallowedIssuers: readonly string[],
): AuthenticationConfiguration {
  const document = new ConfigurationDocument(
    given,
    'AuthenticationConfiguration',
    ['v1', 'v1beta1', 'v1alpha1'],
    ['jwt', 'anonymous'],
  );
  const path = FieldPath.of('jwt');
  const items = document.list(document.root.jwt, path);
  if (items.length > MAX_AUTHENTICATORS) document.errors.push(tooMany(path, items.length, MAX_AUTHENTICATORS));
  const urls = new Set<string>();
  const discoveryURLs = new Set<string>();
  const jwt = items.slice(0, MAX_AUTHENTICATORS).map((item) => {
    const authenticator = readAuthenticator(document, item.value, item.path, disallowedIssuers);
    const { url, discoveryURL } = authenticator.issuer;
    document.unique(urls, url, item.path.child('issuer', 'url'));
    if (discoveryURL) document.unique(discoveryURLs, discoveryURL, item.path.child('issuer', 'discoveryURL'));
    return authenticator;
  });
  const anonymous = readAnonymous(document);
  document.finish();
  return { jwt, ...(anonymous ? { anonymous } : {}) };
}

function readAnonymous(document: ConfigurationDocument): AnonymousConfiguration | undefined {
  if (document.root.anonymous === undefined || document.root.anonymous === null) return undefined;
  const path = FieldPath.of('anonymous');
  const anonymous = document.fields(document.root.anonymous, path, ['enabled', 'conditions']);
  const enabled = document.flag(anonymous.enabled, path.child('enabled'));
  const paths = document
    .list(anonymous.conditions, path.child('conditions'))
    .map((item) => document.text(document.fields(item.value, item.path, ['path']).path, item.path.child('path')));
  if (!enabled && paths.length)
    document.errors.push(
      invalidValue(
        path.child('conditions'),
        anonymous.conditions,
        'enabled should be set to true when conditions are defined',
      ),
    );
  return { enabled, paths };
}

function readAuthenticator(
  document: ConfigurationDocument,
  given: unknown,
  path: FieldPath,
  disallowedIssuers: readonly string[],
): JwtAuthenticatorConfiguration {
  const authenticator = document.fields(given, path, JWT_FIELDS);
  const issuer = readIssuer(document, authenticator.issuer, path.child('issuer'), disallowedIssuers);
  const reader = new ClaimMappingReader(document);
  const { requiredClaims, rules } = reader.claimRules(
    authenticator.claimValidationRules,
    path.child('claimValidationRules'),
  );
  return {
    issuer,
    requiredClaims,
    claimValidationRules: rules,
    claimMappings: reader.mappings(authenticator.claimMappings, path.child('claimMappings')),
    userValidationRules: reader.userRules(authenticator.userValidationRules, path.child('userValidationRules')),
  };
}

function readIssuer(
  document: ConfigurationDocument,
  given: unknown,
  path: FieldPath,
  disallowedIssuers: readonly string[],
): Issuer {
  const issuer = document.fields(given, path, ISSUER_FIELDS);
  const url = document.text(issuer.url, path.child('url'));
  if (url === '') document.errors.push(required(path.child('url')));
  else checkURL(document, url, path.child('url'), disallowedIssuers);
  const discoveryURL = document.text(issuer.discoveryURL, path.child('discoveryURL'));
  if (discoveryURL !== '') {
    if (url !== '' && withoutSlashes(url) === withoutSlashes(discoveryURL))
      document.errors.push(
        invalidValue(path.child('discoveryURL'), discoveryURL, 'discoveryURL must be different from URL'),
      );
    checkURL(document, discoveryURL, path.child('discoveryURL'), []);
  }
  const audiences = readAudiences(document, issuer, path);
  const certificateAuthority = document.text(issuer.certificateAuthority, path.child('certificateAuthority'));
  if (certificateAuthority !== '' && !isCertificate(certificateAuthority))
    document.errors.push(
      invalidValue(
        path.child('certificateAuthority'),
        '<omitted>',
        'data does not contain any valid RSA or ECDSA certificates',
      ),
    );
  const egress = document.text(issuer.egressSelectorType, path.child('egressSelectorType'));
  if (egress !== '' && egress !== 'controlplane' && egress !== 'cluster')
    document.errors.push(
      invalidValue(path.child('egressSelectorType'), egress, 'egress selector must be either controlplane or cluster'),
    );
  return {
    url,
    audiences,
    ...(discoveryURL ? { discoveryURL } : {}),
    ...(certificateAuthority ? { certificateAuthority } : {}),
  };
}

function readAudiences(
  document: ConfigurationDocument,
  issuer: Readonly<Record<string, unknown>>,
  path: FieldPath,
): readonly string[] {
  const policyPath = path.child('audienceMatchPolicy');
  const policy = document.text(issuer.audienceMatchPolicy, policyPath);
  const seen = new Set<string>();
  const audiences = document.list(issuer.audiences, path.child('audiences')).map((item) => {
    const audience = document.text(item.value, item.path);
    if (audience === '') document.errors.push(required(item.path));
    document.unique(seen, audience, item.path);
    return audience;
  });
  if (audiences.length === 0)
    document.errors.push(required(path.child('audiences'), `at least one ${path.child('audiences')} is required`));
  if (audiences.length > 1 && policy !== 'MatchAny')
    document.errors.push(
      invalidValue(policyPath, policy, 'audienceMatchPolicy must be MatchAny for multiple audiences'),
    );
  if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny')
    document.errors.push(
      invalidValue(policyPath, policy, 'audienceMatchPolicy must be empty or MatchAny for single audience'),
    );
  return audiences;
}

function checkURL(document: ConfigurationDocument, text: string, path: FieldPath, disallowed: readonly string[]): void {
  const fail = (detail: string) => document.errors.push(invalidValue(path, text, detail));
  if (disallowed.includes(text)) fail(`URL must not overlap with disallowed issuers: [${disallowed.join(' ')}]`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    if (!/^[a-z][a-z\d+.-]*:/i.test(text)) fail('URL scheme must be https');
    else fail(`parse ${JSON.stringify(text)}: it is no URL`);
    return;
  }
  if (url.protocol !== 'https:') fail('URL scheme must be https');
  if (url.username !== '' || url.password !== '') fail('URL must not contain a username or password');
  if (url.search !== '') fail('URL must not contain a query');
  if (url.hash !== '') fail('URL must not contain a fragment');
}

const withoutSlashes = (url: string) => url.replace(/\/+$/, '');

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
