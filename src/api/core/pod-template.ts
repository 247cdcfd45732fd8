import { FieldPath } from '../../apimachinery/field.ts';
import { column, containerColumns, formatLabels, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { PodTemplate } from '../types/core.v1.gen.ts';
import { defaultPodTemplateSpec, dropDisabledTemplateFields, validatePodTemplateSpec } from './pod-spec/index.ts';
import { podTemplateWarnings } from './pod-warnings.ts';

const path = FieldPath.of('template');

export const podTemplate = defineKind<PodTemplate>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  generation: 'spec',
  default(podTemplate) {
    podTemplate.template ??= {};
    defaultPodTemplateSpec(podTemplate.template);
  },
  prepareForCreate: ({ template }) => dropDisabledTemplateFields(template, undefined),
  prepareForUpdate: ({ template }, old) => dropDisabledTemplateFields(template, old.template),
  validate: ({ template }, old) => validatePodTemplateSpec(template ?? {}, path, old?.template),
  warnings: ({ metadata, template }, old) =>
    old && old.metadata.generation === metadata.generation ? [] : podTemplateWarnings(template, path),
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>(({ template }) => template?.spec?.containers).map((each) => ({
      ...each,
      priority: 0,
    })),
    column('Pod Labels', ({ template }) => formatLabels(template?.metadata?.labels), {
      description: 'Labels of pods made from the template',
    }),
  ],
});
