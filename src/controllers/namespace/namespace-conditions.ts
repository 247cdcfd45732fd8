import type { NamespaceCondition } from '../../api/types/core.v1.gen.ts';
import { withCondition } from '../conditions.ts';
import type { ContentReport } from './namespace-content.ts';

/** Upstream's five conditions of a namespace that is being deleted. */
export function deletionConditions(
  old: readonly NamespaceCondition[] | undefined,
  report: ContentReport,
  now: number,
): readonly NamespaceCondition[] {
  const { discoveryFailures, deletionErrors, remaining, finalizers } = report;
  const conditions: NamespaceCondition[] = [
    discoveryFailures.length > 0
      ? failed(
          'NamespaceDeletionDiscoveryFailure',
          'DiscoveryFailed',
          `Discovery failed for some groups, ${discoveryFailures.length} failing: unable to retrieve the complete list of server APIs: ${discoveryFailures
            .map(({ groupVersion, message }) => `${groupVersion}: ${message}`)
            .join(', ')}`,
        )
      : fine('NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'),
    fine(
      'NamespaceDeletionGroupVersionParsingFailure',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    deletionErrors.length > 0
      ? failed(
          'NamespaceDeletionContentFailure',
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${deletionErrors.length} remaining: ${[...deletionErrors].sort().join(', ')}`,
        )
      : fine(
          'NamespaceDeletionContentFailure',
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        ),
    remaining.size > 0
      ? failed(
          'NamespaceContentRemaining',
          'SomeResourcesRemain',
          `Some resources are remaining: ${show(remaining, (name, count) => `${name} has ${count} resource instances`)}`,
        )
      : fine('NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'),
    finalizers.size > 0
      ? failed(
          'NamespaceFinalizersRemaining',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${show(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
        )
      : fine('NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'),
  ];
  return conditions.reduce<readonly NamespaceCondition[]>(
    (list, condition) => withCondition(list, condition, now),
    old ?? [],
  );
}

const failed = (type: string, reason: string, message: string) => ({ type, status: 'True', reason, message });
const fine = (type: string, reason: string, message: string) => ({ type, status: 'False', reason, message });
const show = (counts: ReadonlyMap<string, number>, line: (name: string, count: number) => string) =>
  [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => line(name, count))
    .join(', ');
