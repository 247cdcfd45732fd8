import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import type { LabelSelector } from '../../apimachinery/meta.ts';

/** The serialized selector that a Scale's status carries; empty when there is none. */
export function selectorText(selector: LabelSelector | undefined): string {
  return selector ? labelSelectorMatcher(selector).toString() : '';
}
