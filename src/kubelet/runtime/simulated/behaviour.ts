import { Quantity } from '../../../apimachinery/quantity.ts';
import { RuntimeError } from '../runtime-error.ts';

/**
 * Annotations of a pod that say how its containers behave, read when a container is made. A value holds for all containers
 * of the pod, or is a JSON object with a value per container name: `{"web": 3, "log-shipper": 0}`.
 *
 * | `simulated.k8ts.dev/` | |
 * |---|---|
 * | `exit-code` | what it ends with: 0 unless given. A container with this annotation ends even if its restart policy is Always |
 * | `run-seconds` | how long it runs before it ends, or `forever`. Unless it is given, containers that always restart or have an open stdin run forever, others for a second |
 * | `start-seconds` | how long it takes from created to running: 0 |
 * | `stop-seconds` | how long it goes on after SIGTERM: 0. Past the grace period it is killed |
 * | `log` | lines that it writes when it has started |
 * | `startup-probe`, `liveness-probe`, `readiness-probe` | `success`, `failure`, or the seconds after its start from which on the probe succeeds |
 * | `cpu`, `memory` | what it uses, as quantities: `10m` and `16Mi` unless given |
 * | `pull-error` | pulling its image fails with this message; per image name, not container, when it is an object |
 * | `pull-seconds` | how long pulling takes: 0; likewise per image name |
 */
export const ANNOTATION_PREFIX = 'simulated.k8ts.dev/';

export type ProbeBehaviour = 'success' | 'failure' | number;

export interface ContainerBehaviour {
  /** `undefined`: until somebody stops it. */
  readonly runMs: number | undefined;
  readonly exitCode: number;
  readonly startMs: number;
  readonly stopMs: number;
  readonly log: readonly string[];
  readonly startup: ProbeBehaviour;
  readonly liveness: ProbeBehaviour;
  readonly readiness: ProbeBehaviour;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
}

export interface PullBehaviour {
  readonly error: string | undefined;
  readonly ms: number;
}

type Annotations = Readonly<Record<string, string>>;

const DEFAULT_CPU_MILLICORES = 10;
const DEFAULT_MEMORY_BYTES = 16 * 1024 * 1024;
const NO_LINES: readonly string[] = [];

/** Of most containers: one object for all of them. */
const FOREVER: ContainerBehaviour = {
  runMs: undefined,
  exitCode: 0,
  startMs: 0,
  stopMs: 0,
  log: NO_LINES,
  startup: 'success',
  liveness: 'success',
  readiness: 'success',
  cpuMillicores: DEFAULT_CPU_MILLICORES,
  memoryBytes: DEFAULT_MEMORY_BYTES,
};

/** Throws RuntimeError for a value that can't be read. `endless`: unless an annotation says so it does not end by itself. */
export function containerBehaviour(
  annotations: Annotations,
  container: string,
  { endless, completionMs }: { readonly endless: boolean; readonly completionMs: number },
): ContainerBehaviour {
  if (!hasAnnotations(annotations)) return endless ? FOREVER : { ...FOREVER, runMs: completionMs };
  const value = (name: string) => valueFor(annotations, name, container);
  const exitCode = wholeNumber('exit-code', value('exit-code'), 255);
  const run = value('run-seconds');
  const ends = exitCode !== undefined || !endless;
  const log = value('log');
  return {
    runMs: run === 'forever' ? undefined : (milliseconds('run-seconds', run) ?? (ends ? completionMs : undefined)),
    exitCode: exitCode ?? 0,
    startMs: milliseconds('start-seconds', value('start-seconds')) ?? 0,
    stopMs: milliseconds('stop-seconds', value('stop-seconds')) ?? 0,
    log: log === undefined ? NO_LINES : log.replace(/\n$/, '').split('\n'),
    startup: probe('startup-probe', value('startup-probe')),
    liveness: probe('liveness-probe', value('liveness-probe')),
    readiness: probe('readiness-probe', value('readiness-probe')),
    cpuMillicores: quantity('cpu', value('cpu'))?.milliValue() ?? DEFAULT_CPU_MILLICORES,
    memoryBytes: quantity('memory', value('memory'))?.value() ?? DEFAULT_MEMORY_BYTES,
  };
}

export function pullBehaviour(annotations: Annotations, image: string): PullBehaviour {
  if (!hasAnnotations(annotations)) return { error: undefined, ms: 0 };
  return {
    error: valueFor(annotations, 'pull-error', image),
    ms: milliseconds('pull-seconds', valueFor(annotations, 'pull-seconds', image)) ?? 0,
  };
}

function hasAnnotations(annotations: Annotations): boolean {
  for (const key in annotations) if (key.startsWith(ANNOTATION_PREFIX)) return true;
  return false;
}

/** The value for one container or image, as text. */
function valueFor(annotations: Annotations, name: string, key: string): string | undefined {
  const text = annotations[ANNOTATION_PREFIX + name];
  if (text === undefined || !text.trimStart().startsWith('{')) return text;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid(name, text, 'a value or a JSON object with a value per container');
  }
  const own = (parsed as Readonly<Record<string, unknown>>)[key];
  return own === undefined || own === null ? undefined : String(own);
}

function milliseconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds >= 0 && seconds <= 2_000_000)) throw invalid(name, text, 'a number of seconds');
  return seconds * 1000;
}

function wholeNumber(name: string, text: string | undefined, limit: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) > limit) throw invalid(name, text, `a whole number from 0 to ${limit}`);
  return Number(text);
}

function probe(name: string, text: string | undefined): ProbeBehaviour {
  if (text === undefined || text === 'success') return 'success';
  if (text === 'failure') return 'failure';
  const ms = Number(text) * 1000;
  if (text.trim() === '' || !(ms >= 0)) throw invalid(name, text, 'success, failure or a number of seconds');
  return ms;
}

function quantity(name: string, text: string | undefined): Quantity | undefined {
  if (text === undefined) return undefined;
  try {
    return Quantity.parse(text);
  } catch {
    throw invalid(name, text, 'a quantity');
  }
}

function invalid(name: string, text: string, wanted: string): RuntimeError {
  return new RuntimeError(
    'InvalidArgument',
    `annotation ${ANNOTATION_PREFIX}${name} must be ${wanted}, not ${JSON.stringify(text)}`,
  );
}
