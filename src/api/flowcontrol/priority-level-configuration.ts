import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { internalForm } from '../core/internal-form.ts';
import { defineKind } from '../define.ts';
import { semanticEqual } from '../field-checks.ts';
import { keepLabelsAndAnnotations } from '../status-metadata.ts';
import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../types/flowcontrol.v1.gen.ts';
import { mandatoryPriorityLevels } from './mandatory-objects.ts';
import { validateStatusConditions } from './status-conditions.ts';

const spec = FieldPath.of('spec');
const maxQueues = 10_000_000;
/** Bits of a flow's hash that shuffle sharding may use up. */
const maxHashBits = 60;

export const priorityLevelConfiguration = defineKind<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  generation: 'spec',
  default: setDefaults,
  validate: ({ metadata, spec: given = { type: '' } }) => [
    ...validateSpec(metadata.name, given),
    ...validateMandatory(metadata.name, given),
  ],
  subresources: {
    status: {
      prepareForUpdate: keepLabelsAndAnnotations,
      validateUpdate: ({ status }) => validateStatusConditions(status?.conditions),
    },
  },
  columns: [
    nameColumn,
    column('Type', ({ spec }) => spec.type, { description: 'Whether requests are limited' }),
    column('NominalConcurrencyShares', ({ spec }) => spec.limited?.nominalConcurrencyShares ?? '<none>', {
      description: "The level's share of the server's concurrency",
    }),
    column('Queues', ({ spec }) => spec.limited?.limitResponse?.queuing?.queues ?? '<none>', {
      description: 'Number of queues',
    }),
    column('HandSize', ({ spec }) => spec.limited?.limitResponse?.queuing?.handSize ?? '<none>', {
      description: 'Queues that a flow may use',
    }),
    column('QueueLengthLimit', ({ spec }) => spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>', {
      description: 'Requests that may wait in a queue',
    }),
    ageColumn,
  ],
});

function setDefaults({ spec }: Draft<PriorityLevelConfiguration>): void {
  if (!spec) return;
  if (spec.type === 'Exempt') {
    spec.exempt ??= {};
    spec.exempt.nominalConcurrencyShares ??= 0;
    spec.exempt.lendablePercent ??= 0;
  }
  if (!spec.limited) return;
  spec.limited.nominalConcurrencyShares ??= 30;
  spec.limited.lendablePercent ??= 0;
  const queuing = spec.limited.limitResponse?.queuing;
  if (!queuing) return;
  queuing.handSize ||= 8;
  queuing.queues ||= 64;
  queuing.queueLengthLimit ||= 50;
}

function validateSpec(name: string, level: PriorityLevelConfigurationSpec): FieldError[] {
  const { type, limited, exempt } = level;
  const errors: FieldError[] = [];
  if ((name === 'exempt') !== (type === 'Exempt'))
    errors.push(invalidValue(spec.child('type'), type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  if (type === 'Exempt') {
    if (limited) errors.push(forbiddenField(spec.child('limited'), 'must be nil if the type is not Limited'));
    errors.push(
      ...validateShares(spec.child('exempt'), exempt?.nominalConcurrencyShares),
      ...validateLendable(spec.child('exempt'), exempt?.lendablePercent),
    );
  } else if (type === 'Limited') {
    if (exempt) errors.push(forbiddenField(spec.child('exempt'), 'must be nil if the type is Limited'));
    if (limited) errors.push(...validateLimited(spec.child('limited'), limited));
    else errors.push(required(spec.child('limited'), 'must not be empty when type is Limited'));
  } else errors.push(notSupported(spec.child('type'), type ?? '', ['Exempt', 'Limited']));
  return errors;
}

function validateMandatory(name: string, level: PriorityLevelConfigurationSpec): FieldError[] {
  const wanted = mandatoryPriorityLevels.get(name);
  if (!wanted) return [];
  const given = name === 'exempt' ? { ...level, exempt: wanted.exempt } : level;
  if (semanticEqual(given, wanted)) return [];
  const except = name === 'exempt' ? " except the 'spec.exempt' field" : '';
  return [
    invalidValue(
      spec,
      internalForm('PriorityLevelSpec', level),
      `spec of '${name}'${except} must equal the fixed value`,
    ),
  ];
}

function validateShares(path: FieldPath, shares: number | undefined): FieldError[] {
  return shares !== undefined && shares < 0
    ? [invalidValue(path.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer')]
    : [];
}

function validateLendable(path: FieldPath, percent: number | undefined): FieldError[] {
  return percent !== undefined && !(percent >= 0 && percent <= 100)
    ? [invalidValue(path.child('lendablePercent'), percent, 'must be between 0 and 100, inclusive')]
    : [];
}

function validateLimited(path: FieldPath, limited: LimitedPriorityLevelConfiguration): FieldError[] {
  const { type = '', queuing } = limited.limitResponse ?? ({} as { type?: string; queuing?: QueuingConfiguration });
  const response = path.child('limitResponse');
  const errors = validateShares(path, limited.nominalConcurrencyShares);
  if (type === 'Reject') {
    if (queuing)
      errors.push(
        forbiddenField(response.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited'),
      );
  } else if (type === 'Queue') {
    if (queuing) errors.push(...validateQueuing(response.child('queuing'), queuing));
    else errors.push(required(response.child('queuing'), 'must not be empty if limited.limitResponse.type is Limited'));
  } else errors.push(notSupported(response.child('type'), type, ['Queue', 'Reject']));
  errors.push(...validateLendable(path, limited.lendablePercent));
  const borrowing = limited.borrowingLimitPercent;
  if (borrowing !== undefined && borrowing < 0)
    errors.push(
      invalidValue(path.child('borrowingLimitPercent'), borrowing, 'if specified, must be a non-negative integer'),
    );
  return errors;
}

function validateQueuing(path: FieldPath, queuing: QueuingConfiguration): FieldError[] {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const errors: FieldError[] = [];
  if (queueLengthLimit <= 0)
    errors.push(invalidValue(path.child('queueLengthLimit'), queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(invalidValue(path.child('queues'), queues, 'must be positive'));
  else if (queues > maxQueues)
    errors.push(invalidValue(path.child('queues'), queues, `must not be greater than ${maxQueues}`));
  const hand = path.child('handSize');
  if (handSize <= 0) errors.push(invalidValue(hand, handSize, 'must be positive'));
  else if (handSize > queues)
    errors.push(invalidValue(hand, handSize, `should not be greater than queues (${queues})`));
  else if (entropyBits(queues, handSize) > maxHashBits)
    errors.push(
      invalidValue(
        hand,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`,
      ),
    );
  return errors;
}

/** Bits needed to deal a hand from a deck of queues. */
function entropyBits(deckSize: number, handSize: number): number {
  let bits = 0;
  for (let i = 0; i < handSize; i++) bits += Math.log2(deckSize - i);
  return Math.ceil(bits);
}
