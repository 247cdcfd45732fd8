import { FieldPath } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { semanticEqual } from '../field-checks.ts';
import type { AppArmorProfile, Container, EphemeralContainer, Pod } from '../types/core.v1.gen.ts';
import { appArmorPrefix } from './pod-annotations.ts';
import { validateAppArmor } from './pod-spec/security-context.ts';
import { appArmorMessage } from './pod-warnings.ts';

/** Profiles that only an old annotation names are also what the field says, unless the pod's profile says it already. */
export function adoptAppArmorAnnotations(pod: Draft<Pod>): void {
  forEachAnnotated(pod as Pod, (container, profile) => {
    if (!profile || container.securityContext?.appArmorProfile) return;
    if (semanticEqual(profile, pod.spec.securityContext?.appArmorProfile)) return;
    const draft = container as Draft<Container>;
    draft.securityContext ??= {};
    draft.securityContext.appArmorProfile = profile;
  });
}

/** Of annotations that told a container its profile, or could not. */
export function appArmorWarnings(pod: Pod): string[] {
  const warnings: string[] = [];
  forEachAnnotated(pod, (container, profile, key) => {
    if (!profile || semanticEqual(container.securityContext?.appArmorProfile, profile))
      warnings.push(`${FieldPath.of('metadata', 'annotations').key(key)}: ${appArmorMessage}`);
  });
  return warnings;
}

function forEachAnnotated(
  { metadata, spec }: Pod,
  visit: (container: Container | EphemeralContainer, profile: AppArmorProfile | undefined, key: string) => void,
): void {
  const { annotations } = metadata;
  if (!annotations || spec?.os?.name === 'windows') return;
  if (!Object.keys(annotations).some((key) => key.startsWith(appArmorPrefix))) return;
  for (const container of [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ]) {
    const key = appArmorPrefix + container.name;
    const text = annotations[key];
    if (text !== undefined) visit(container, profileOf(text), key);
  }
}

const localhost = 'localhost/';

function profileOf(text: string): AppArmorProfile | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' };
  if (text === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!text.startsWith(localhost)) return undefined;
  const profile = { type: 'Localhost', localhostProfile: text.slice(localhost.length) };
  return validateAppArmor(profile, FieldPath.root).length > 0 ? undefined : profile;
}
