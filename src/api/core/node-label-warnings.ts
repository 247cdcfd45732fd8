import type { FieldPath } from '../../apimachinery/field.ts';
import { isLabelValue } from '../../apimachinery/names.ts';
import type { NodeSelectorTerm } from '../types/core.v1.gen.ts';

const replaced = (since: string, label: string) => `deprecated since ${since}; use "${label}" instead`;

const oldLabels: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', replaced('v1.14', 'kubernetes.io/arch')],
  ['beta.kubernetes.io/os', replaced('v1.14', 'kubernetes.io/os')],
  ['failure-domain.beta.kubernetes.io/region', replaced('v1.17', 'topology.kubernetes.io/region')],
  ['failure-domain.beta.kubernetes.io/zone', replaced('v1.17', 'topology.kubernetes.io/zone')],
  ['beta.kubernetes.io/instance-type', replaced('v1.17', 'node.kubernetes.io/instance-type')],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

/** What is said of a label of nodes that is not to be used any more. */
export const nodeLabelMessage = (label: string): string | undefined => oldLabels.get(label);

/** `checkValues`: of preferred terms, whose values no validation looks at. */
export function nodeSelectorTermWarnings(term: NodeSelectorTerm, path: FieldPath, checkValues: boolean): string[] {
  return (term.matchExpressions ?? []).flatMap(({ key, values = [] }, index) => {
    const at = path.child('matchExpressions').index(index);
    const message = nodeLabelMessage(key);
    const warnings = message === undefined ? [] : [`${at.child('key')}: ${key} is ${message}`];
    if (checkValues)
      values.forEach((value, i) => {
        for (const wrong of isLabelValue(value))
          warnings.push(`${at.child('values').index(i)}: ${value} is invalid, ${wrong}`);
      });
    return warnings;
  });
}
