import { isIPv4, isIPv6 } from 'node:net';

/** Name and value formats of Kubernetes. Each check returns the messages of what is wrong; an empty list is valid. */

const maxCharacters = (length: number) => `must be no more than ${length} characters`;
const maxBytes = (length: number) => `must be no more than ${length} bytes`;
const empty = 'must be non-empty';
const between = (low: number, high: number) => `must be between ${low} and ${high}, inclusive`;

function mustMatch(message: string, pattern: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  return `${message} (e.g. ${examples.map((example) => `'${example}', `).join(' or ')}regex used for validation is '${pattern}')`;
}

/** Go counts string lengths in UTF-8 bytes. */
function byteLength(value: string): number {
  return Buffer.byteLength(value);
}

const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`);

const dns1123LabelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dns1123SubdomainPattern = `${dns1123LabelPattern}(\\.${dns1123LabelPattern})*`;
const dns1123LabelWithUnderscorePattern = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const dns1123SubdomainWithUnderscorePattern = `${dns1123LabelWithUnderscorePattern}(\\.${dns1123LabelWithUnderscorePattern})*`;
const dns1035LabelPattern = '[a-z]([-a-z0-9]*[a-z0-9])?';
const wildcardPattern = `\\*\\.${dns1123SubdomainPattern}`;
const qualifiedNamePattern = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValuePattern = `(${qualifiedNamePattern})?`;
const envVarNamePattern = '[-._a-zA-Z][-._a-zA-Z0-9]*';
const configMapKeyPattern = '[-._a-zA-Z0-9]+';
const cIdentifierPattern = '[A-Za-z_][A-Za-z0-9_]*';
const percentPattern = '[0-9]+%';
const httpHeaderNamePattern = '[-A-Za-z0-9]+';
const httpPathPattern = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

const dns1123Label = whole(dns1123LabelPattern);
const dns1123Subdomain = whole(dns1123SubdomainPattern);
const dns1123SubdomainWithUnderscore = whole(dns1123SubdomainWithUnderscorePattern);
const dns1035Label = whole(dns1035LabelPattern);
const wildcard = whole(wildcardPattern);
const qualifiedName = whole(qualifiedNamePattern);
const labelValue = whole(labelValuePattern);
const envVarName = whole(envVarNamePattern);
const configMapKey = whole(configMapKeyPattern);
const cIdentifier = whole(cIdentifierPattern);
const percent = whole(percentPattern);
const httpHeaderName = whole(httpHeaderNamePattern);
const httpPath = whole(httpPathPattern);
const portName = /^[-a-z0-9]+$/;

const subdomainMessage = mustMatch(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  dns1123SubdomainPattern,
  'example.com',
);

export function isDns1123Label(value = ''): string[] {
  const errors = byteLength(value) > 63 ? [maxCharacters(63)] : [];
  if (!dns1123Label.test(value)) {
    errors.push(
      dns1123Subdomain.test(value)
        ? 'must not contain dots'
        : mustMatch(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            dns1123LabelPattern,
            'my-name',
            '123-abc',
          ),
    );
  }
  return errors;
}

export function isDns1123Subdomain(value = ''): string[] {
  const errors = byteLength(value) > 253 ? [maxCharacters(253)] : [];
  if (!dns1123Subdomain.test(value)) errors.push(subdomainMessage);
  return errors;
}

export function isDns1123SubdomainWithUnderscore(value = ''): string[] {
  const errors = byteLength(value) > 253 ? [maxCharacters(253)] : [];
  if (!dns1123SubdomainWithUnderscore.test(value)) {
    errors.push(
      mustMatch(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
        dns1123SubdomainWithUnderscorePattern,
        'example.com',
      ),
    );
  }
  return errors;
}

export function isWildcardDns1123Subdomain(value = ''): string[] {
  const errors = byteLength(value) > 253 ? [maxCharacters(253)] : [];
  if (!wildcard.test(value)) {
    errors.push(
      mustMatch(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcardPattern,
        '*.example.com',
      ),
    );
  }
  return errors;
}

export function isDns1035Label(value = ''): string[] {
  const errors = byteLength(value) > 63 ? [maxCharacters(63)] : [];
  if (!dns1035Label.test(value)) {
    errors.push(
      mustMatch(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        dns1035LabelPattern,
        'my-name',
        'abc-123',
      ),
    );
  }
  return errors;
}

/** Label keys, annotation keys, resource names, finalizers: `name` or `dns.prefix/name`. */
export function isQualifiedName(value = ''): string[] {
  const namePart = mustMatch(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    qualifiedNamePattern,
    'MyName',
    'my.name',
    '123-abc',
  );
  const parts = value.split('/');
  if (parts.length > 2) {
    return [`a valid label key ${namePart} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const errors: string[] = [];
  const name = parts[parts.length - 1] as string;
  if (parts.length === 2) {
    const prefix = parts[0] as string;
    if (prefix === '') errors.push(`prefix part ${empty}`);
    else {
      if (byteLength(prefix) > 253) errors.push(`prefix part ${maxBytes(253)}`);
      if (!dns1123Subdomain.test(prefix)) errors.push(`prefix part ${subdomainMessage}`);
    }
  }
  if (name === '') errors.push(`name part ${empty}`);
  else if (byteLength(name) > 63) errors.push(`name part ${maxBytes(63)}`);
  if (!qualifiedName.test(name)) errors.push(`name part ${namePart}`);
  return errors;
}

export function isLabelValue(value = ''): string[] {
  const errors = byteLength(value) > 63 ? [maxBytes(63)] : [];
  if (!labelValue.test(value)) {
    errors.push(
      mustMatch(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        labelValuePattern,
        'MyValue',
        'my_value',
        '12345',
      ),
    );
  }
  return errors;
}

function parentDirectory(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}

export function isEnvVarName(value = ''): string[] {
  const errors = envVarName.test(value)
    ? []
    : [
        mustMatch(
          "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
          envVarNamePattern,
          'my.env-name',
          'MY_ENV.NAME',
          'MyEnvName1',
        ),
      ];
  return [...errors, ...parentDirectory(value)];
}

/** What container environments accept since Kubernetes 1.34: printable ASCII without `=`. */
export function isRelaxedEnvVarName(value = ''): string[] {
  if (value === '') return [`environment variable name ${empty}`];
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function isConfigMapKey(value = ''): string[] {
  const errors = byteLength(value) > 253 ? [maxCharacters(253)] : [];
  if (!configMapKey.test(value)) {
    errors.push(
      mustMatch(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configMapKeyPattern,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  return [...errors, ...parentDirectory(value)];
}

export function isCIdentifier(value = ''): string[] {
  return cIdentifier.test(value)
    ? []
    : [
        mustMatch(
          "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
          cIdentifierPattern,
          'my_name',
          'MY_NAME',
          'MyName',
        ),
      ];
}

export function isPercent(value = ''): string[] {
  return percent.test(value)
    ? []
    : [
        mustMatch(
          "a valid percent string must be a numeric string followed by an ending '%'",
          percentPattern,
          '1%',
          '93%',
        ),
      ];
}

export function isHttpHeaderName(value = ''): string[] {
  return httpHeaderName.test(value)
    ? []
    : [
        mustMatch(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          httpHeaderNamePattern,
          'X-Header-Name',
        ),
      ];
}

/** The part after the first `/` of a domain-prefixed path (`acme.io/foo`). */
export function isHttpPath(value = ''): string[] {
  return httpPath.test(value) ? [] : [mustMatch('Invalid path', httpPathPattern)];
}

export function isPortNumber(port: number): string[] {
  return isInRange(port, 1, 65535);
}

export function isInRange(value: number, low: number, high: number): string[] {
  return value >= low && value <= high ? [] : [between(low, high)];
}

/** User and group ids. */
export function isUserId(id: number): string[] {
  return isInRange(id, 0, 0xffffffff);
}

/** An IANA service name (RFC 6335), lower case only. */
export function isPortName(value = ''): string[] {
  const errors = byteLength(value) > 15 ? [maxCharacters(15)] : [];
  if (!portName.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** IPv4 with leading zeros is accepted, as Kubernetes does for the sake of old objects. */
function parseSloppy(value: string): 4 | 6 | undefined {
  if (value.length > 45 || value.includes('%')) return undefined;
  if (isIPv4(value.replace(/(^|\.)0+(?=\d)/g, '$1'))) return 4;
  return isIPv6(value) ? 6 : undefined;
}

export function isIP(value = ''): string[] {
  return parseSloppy(value) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function isIPv4Address(value = ''): string[] {
  return parseSloppy(value) === 4 ? [] : ['must be a valid IPv4 address'];
}

export function isIPv6Address(value = ''): string[] {
  return parseSloppy(value) === 6 ? [] : ['must be a valid IPv6 address'];
}

export function isCIDR(value = ''): string[] {
  const slash = value.indexOf('/');
  const family = slash < 0 ? undefined : parseSloppy(value.slice(0, slash));
  const length = value.slice(slash + 1);
  const valid = family && /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128);
  return valid ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

/** A name that is one segment of a URL path; `prefix`: a generateName. */
export function isPathSegmentName(name: string, prefix = false): string[] {
  if (!prefix && (name === '.' || name === '..')) return [`may not be '${name}'`];
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
}

export type NameValidation =
  | 'dns1123Subdomain'
  | 'dns1123Label'
  | 'dns1035Label'
  | 'path'
  | { validate(name: string, prefix: boolean): string[] };

/** `prefix`: the name is a generateName, to which a suffix will be added (it may end in a dash). */
export function validateName(format: NameValidation, name: string, prefix = false): string[] {
  if (typeof format === 'object') return format.validate(name, prefix);
  if (format === 'path') return isPathSegmentName(name, prefix);
  const checked = prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
  if (format === 'dns1123Label') return isDns1123Label(checked);
  if (format === 'dns1035Label') return isDns1035Label(checked);
  return isDns1123Subdomain(checked);
}
