import type { KindDefinition } from '../../../api/kind.ts';
import { schemaOf } from '../../../api/schema.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import type { Eviction, PodDisruptionBudget } from '../../../api/types/policy.v1.gen.ts';
import { type Draft, draft } from '../../../apimachinery/json.ts';
import { labelSelectorMatcher } from '../../../apimachinery/labels.ts';
import type { DeleteOptions } from '../../../apimachinery/meta.ts';
import {
  badRequest,
  forbidden,
  internalError,
  isStatusError,
  methodNotAllowed,
  notFound,
  StatusError,
} from '../../../apimachinery/status-error.ts';
import type { RequestContext } from '../../request/request-context.ts';
import { objectResult, type Result } from '../../request/result.ts';
import { parseWriteOptions, type WriteOptions } from '../../request/write-options.ts';
import { compileSelection } from '../../watch-cache/filter.ts';
import { Admission } from '../admit.ts';
import { deleteObject } from '../delete.ts';
import { checkPreconditions } from '../delete-options.ts';
import { readObject } from '../read-object.ts';
import { type RegistryServices, timestamp } from '../registry-services.ts';
import { updateObject } from '../update.ts';

/** More evictions than this are not left unconfirmed by the disruption controller. */
const MAX_DISRUPTED_PODS = 2000;
/** Of deletions that lose against other writers. */
const MAX_ATTEMPTS = 20;

/** POST to `/pods/NAME/eviction`: a deletion that respects disruption budgets. */
export async function evict(
  services: RegistryServices,
  context: RequestContext,
  pods: KindDefinition,
): Promise<Result> {
  const { name, namespace, verb } = context.info;
  if (verb !== 'create') throw methodNotAllowed();
  const options = parseWriteOptions(context, 'CreateOptions');
  const target = { group: 'policy', version: 'v1', kind: 'Eviction', schema: schemaOf('policy.v1.Eviction') };
  const object = await readObject(context, target, options.fieldValidation);
  const eviction = object as unknown as Eviction;
  if (eviction.metadata?.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  object.metadata.namespace = namespace;
  const admission = new Admission(services, context, {
    operation: 'CREATE',
    definition: pods,
    kind: target,
    subresource: 'eviction',
    namespace,
    name,
    dryRun: options.dryRun,
    options: options.given,
  });
  await admission.mutate(object);
  await admission.validate(object);
  const given = (eviction.deleteOptions ?? {}) as DeleteOptions;
  const deletion: DeleteOptions = given.dryRun?.length || !options.dryRun ? given : { ...given, dryRun: ['All'] };
  const request = { services, context, pods, namespace, name, options };
  const pod = await removeUnguarded(request, deletion);
  if (pod) await removeGuarded(request, pod, deletion);
  return objectResult({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201);
}

interface EvictionRequest {
  readonly services: RegistryServices;
  readonly context: RequestContext;
  readonly pods: KindDefinition;
  readonly namespace: string;
  readonly name: string;
  readonly options: WriteOptions;
}

/** Deletes a pod that no budget guards by its state; returns the pod when one may. */
async function removeUnguarded(request: EvictionRequest, deletion: DeleteOptions): Promise<Pod | undefined> {
  const { services, pods, namespace, name } = request;
  for (let attempt = 1; ; attempt++) {
    const entry = await services.storage.get(pods, namespace, name);
    if (!entry) throw notFound(pods, name);
    const pod = entry.object as unknown as Pod;
    checkPreconditions(pods, entry.object, deletion.preconditions);
    if (!disturbsNobody(pod)) return pod;
    // A pending pod must not become ready meanwhile.
    const pinned = isOver(pod)
      ? deletion
      : withPrecondition(
          deletion,
          'resourceVersion',
          deletion.preconditions?.resourceVersion ?? entry.object.metadata.resourceVersion,
        );
    try {
      await remove(request, pinned);
      return undefined;
    } catch (error) {
      if (!isStatusError(error, 'Conflict') || deletion.preconditions?.resourceVersion || attempt >= MAX_ATTEMPTS)
        throw error;
    }
  }
}

async function removeGuarded(request: EvictionRequest, pod: Pod, deletion: DeleteOptions): Promise<void> {
  const { services, namespace, name } = request;
  const budget = await budgetOf(services, namespace, pod);
  if (!budget) return remove(request, deletion);
  if (!evictsUnhealthy(pod, budget)) {
    await takeDisruption(services, namespace, budget.metadata.name, name, Boolean(deletion.dryRun?.length));
    return remove(request, withPrecondition(deletion, 'uid', pod.metadata.uid));
  }
  // The pod must still be the unhealthy one that was looked at.
  try {
    await remove(request, withPrecondition(deletion, 'resourceVersion', pod.metadata.resourceVersion));
  } catch (error) {
    if (isStatusError(error, 'Conflict') && !deletion.preconditions?.resourceVersion)
      throw stillProcessed(budget.metadata.name);
    throw error;
  }
}

async function remove(request: EvictionRequest, deletion: DeleteOptions): Promise<void> {
  const { services, context, pods, namespace, name } = request;
  const marked = deletion.dryRun?.length ? deletion : await markDisrupted(request, deletion);
  await deleteObject(services, context, { definition: pods, namespace, name }, marked);
}

function withPrecondition(
  options: DeleteOptions,
  field: 'uid' | 'resourceVersion',
  value: string | undefined,
): DeleteOptions {
  return { ...options, preconditions: { ...options.preconditions, ...(value ? { [field]: value } : {}) } };
}

/**
 * Says on the pod why it goes, before it goes: a Job's pod failure policy reads it. Returns the deletion that means the
 * pod as it is now.
 */
async function markDisrupted(
  { services, context, pods, namespace, name, options }: EvictionRequest,
  deletion: DeleteOptions,
): Promise<DeleteOptions> {
  const entry = await updateObject(services, context, {
    definition: pods,
    namespace,
    name,
    options,
    admitted: true,
    tracked: true,
    subresource: { name: 'eviction', keepsGeneration: true, prepare: () => {}, validate: () => [] },
    next(old) {
      checkPreconditions(pods, old, deletion.preconditions);
      const pod = draft(old) as unknown as Draft<Pod>;
      const known = pod.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
        lastTransitionTime: known?.status === 'True' ? known.lastTransitionTime! : timestamp(services.now()),
      };
      const conditions = (pod.status?.conditions ?? []).filter((other) => other !== known);
      pod.status = { ...pod.status, conditions: [...conditions, condition] };
      delete pod.metadata.resourceVersion;
      return pod as never;
    },
  });
  if (!deletion.preconditions?.resourceVersion) return deletion;
  return withPrecondition(deletion, 'resourceVersion', entry.object.metadata.resourceVersion);
}

const isOver = ({ metadata, status }: Pod) =>
  Boolean(metadata.deletionTimestamp) || status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Pods that are over, not begun or on their way out. */
const disturbsNobody = (pod: Pod) => isOver(pod) || pod.status?.phase === 'Pending';

async function budgetOf(
  services: RegistryServices,
  namespace: string,
  pod: Pod,
): Promise<PodDisruptionBudget | undefined> {
  const definition = budgetsOf(services);
  const selection = compileSelection(definition, namespace, undefined, undefined);
  const matching = services.cache
    .for(definition)
    .select(definition, selection)
    .map((entry) => entry.as(definition).object as unknown as PodDisruptionBudget)
    .filter(({ spec }) => labelSelectorMatcher(spec?.selector).matches(pod.metadata.labels));
  if (matching.length > 1)
    throw new StatusError({
      code: 500,
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    });
  return matching[0];
}

function budgetsOf({ kinds }: RegistryServices): KindDefinition {
  const definition = kinds.byResource('policy', 'v1', 'poddisruptionbudgets');
  if (!definition) throw internalError('poddisruptionbudgets.policy is not served');
  return definition;
}

function evictsUnhealthy(pod: Pod, { spec, status }: PodDisruptionBudget): boolean {
  const ready = pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  if (ready) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** Counts the eviction against the budget, in its status. Throws 429 when it leaves no room. */
async function takeDisruption(
  services: RegistryServices,
  namespace: string,
  name: string,
  pod: string,
  dryRun: boolean,
): Promise<void> {
  const definition = budgetsOf(services);
  for (;;) {
    const entry = await services.storage.get(definition, namespace, name);
    if (!entry) return;
    const budget = draft(entry.as(definition).object) as unknown as Draft<PodDisruptionBudget>;
    checkAndTake(budget, pod, timestamp(services.now()));
    if (dryRun) return;
    const outcome = await services.storage.replace(definition, budget as never, entry.revision);
    if (outcome.written) return;
  }
}

function checkAndTake(budget: Draft<PodDisruptionBudget>, pod: string, now: string): void {
  const { name, generation = 0 } = budget.metadata;
  const status = budget.status ?? ({} as NonNullable<typeof budget.status>);
  const allowed = status.disruptionsAllowed ?? 0;
  if ((status.observedGeneration ?? 0) < generation) throw stillProcessed(name);
  const resource = { group: 'policy', resource: 'poddisruptionbudget' };
  if (allowed < 0) throw forbidden(resource, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS)
    throw forbidden(resource, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  if (allowed === 0)
    throw tooManyDisruptions(
      `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
      0,
    );
  status.disruptionsAllowed = allowed - 1;
  if (allowed === 1) {
    const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed');
    const condition = {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'InsufficientPods',
      message: '',
      lastTransitionTime: now,
      observedGeneration: status.observedGeneration ?? 0,
    };
    status.conditions = [...others, condition];
  }
  status.disruptedPods = { ...status.disruptedPods, [pod]: now };
  budget.status = status;
}

const stillProcessed = (budget: string) =>
  tooManyDisruptions(`The disruption budget ${budget} is still being processed by the server.`, 10);

function tooManyDisruptions(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      ...(retryAfterSeconds ? { retryAfterSeconds } : {}),
      causes: [{ reason: 'DisruptionBudget', message }],
    },
  });
}
