import { type FieldError, FieldPath, invalidValue } from '../../../apimachinery/field.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** A level and the minor version of Kubernetes whose rules it means; `latest` is the newest. */
export interface LevelVersion {
  readonly level: Level;
  readonly version: 'latest' | number;
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export type Mode = keyof Policy;
export const MODES: readonly Mode[] = ['enforce', 'audit', 'warn'];

const PREFIX = 'pod-security.kubernetes.io/';
/** The strictest last. */
export const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const NOTHING: LevelVersion = { level: 'privileged', version: 'latest' };
const PRIVILEGED: Policy = { enforce: NOTHING, audit: NOTHING, warn: NOTHING };

export const showLevel = ({ level, version }: LevelVersion) =>
  `${level}:${version === 'latest' ? version : `v1.${version}`}`;

/** What the labels of a namespace demand, `defaults` where they say nothing, and which of them are wrong. A wrong level means `restricted` to enforce, nothing otherwise. */
export function readPolicy(
  labels: Readonly<Record<string, string>> | undefined,
  defaults: Policy = PRIVILEGED,
): {
  readonly policy: Policy;
  readonly errors: readonly FieldError[];
} {
  const errors: FieldError[] = [];
  const path = FieldPath.of('metadata', 'labels');
  const read = (mode: Mode): LevelVersion => {
    const level = labels?.[PREFIX + mode];
    const versionLabel = `${PREFIX}${mode}-version`;
    const given = labels?.[versionLabel];
    const version = given === undefined ? defaults[mode].version : parseVersion(given);
    if (version === undefined) errors.push(invalidValue(path.key(versionLabel), given, 'must be "latest" or "v1.x"'));
    if (level === undefined) return { level: defaults[mode].level, version: version ?? 'latest' };
    const known = parseLevel(level);
    if (known) return { level: known, version: version ?? 'latest' };
    errors.push(invalidValue(path.key(PREFIX + mode), level, `must be one of ${LEVELS.join(', ')}`));
    return { level: mode === 'enforce' ? 'restricted' : 'privileged', version: 'latest' };
  };
  return { policy: { enforce: read('enforce'), audit: read('audit'), warn: read('warn') }, errors };
}

export function parseLevel(text: string): Level | undefined {
  return LEVELS.find((level) => level === text);
}

export function parseVersion(text: string): LevelVersion['version'] | undefined {
  if (text === 'latest') return 'latest';
  const match = /^v1\.(0|[1-9]\d{0,3})$/.exec(text);
  return match ? Number(match[1]) : undefined;
}
