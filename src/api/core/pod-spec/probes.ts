import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { isHttpHeaderName, isPortName, isPortNumber } from '../../../apimachinery/names.ts';
import { nonNegative, optionalOneOf } from '../../field-checks.ts';
import type {
  ExecAction,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
  TCPSocketAction,
} from '../../types/core.v1.gen.ts';
import { requireText } from './paths.ts';

export type ProbeRole = 'liveness' | 'readiness' | 'startup';

interface Handler extends LifecycleHandler {
  readonly grpc?: Probe['grpc'];
}

/** `gracePeriod`: of the pod, the most a sleep hook may take. */
export function validateProbe(
  probe: Probe,
  role: ProbeRole,
  path: FieldPath,
  gracePeriod: number | undefined,
): FieldError[] {
  const errors = [
    ...validateHandler(probe, path, gracePeriod),
    ...nonNegative(path.child('initialDelaySeconds'), probe.initialDelaySeconds),
    ...nonNegative(path.child('timeoutSeconds'), probe.timeoutSeconds),
    ...nonNegative(path.child('periodSeconds'), probe.periodSeconds),
    ...nonNegative(path.child('successThreshold'), probe.successThreshold),
    ...nonNegative(path.child('failureThreshold'), probe.failureThreshold),
  ];
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0)
    errors.push(invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'));
  if (role === 'readiness') {
    if (grace !== undefined)
      errors.push(
        invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes'),
      );
  } else if (probe.successThreshold !== 1) {
    errors.push(invalidValue(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'));
  }
  return errors;
}

export function validateLifecycle(
  lifecycle: Lifecycle,
  path: FieldPath,
  gracePeriod: number | undefined,
  podOs: string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  if (lifecycle.postStart) errors.push(...validateHandler(lifecycle.postStart, path.child('postStart'), gracePeriod));
  if (lifecycle.preStop) errors.push(...validateHandler(lifecycle.preStop, path.child('preStop'), gracePeriod));
  if (lifecycle.stopSignal !== undefined) {
    const at = path.child('stopSignal');
    if (podOs === undefined) errors.push(forbiddenField(at, 'may not be set for containers with empty `spec.os.name`'));
    else if (podOs === 'windows' || podOs === 'linux') {
      const signals = podOs === 'windows' ? windowsSignals : linuxSignals;
      errors.push(...optionalOneOf(at, lifecycle.stopSignal, signals));
    }
  }
  return errors;
}

const windowsSignals = ['SIGKILL', 'SIGTERM'];
const linuxSignals = [
  ...['SIGABRT', 'SIGALRM', 'SIGBUS', 'SIGCHLD', 'SIGCLD', 'SIGCONT', 'SIGFPE', 'SIGHUP', 'SIGILL', 'SIGINT', 'SIGIO'],
  ...['SIGIOT', 'SIGKILL', 'SIGPIPE', 'SIGPOLL', 'SIGPROF', 'SIGPWR', 'SIGQUIT', 'SIGRTMAX', 'SIGRTMIN', 'SIGSEGV'],
  ...['SIGSTKFLT', 'SIGSTOP', 'SIGSYS', 'SIGTERM', 'SIGTRAP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGUSR1'],
  ...['SIGUSR2', 'SIGVTALRM', 'SIGWINCH', 'SIGXCPU', 'SIGXFSZ'],
  ...Array.from({ length: 14 }, (_, index) => `SIGRTMAX-${index + 1}`),
  ...Array.from({ length: 15 }, (_, index) => `SIGRTMIN+${index + 1}`),
].sort();

function validateHandler(handler: Handler, path: FieldPath, gracePeriod: number | undefined): FieldError[] {
  const errors: FieldError[] = [];
  let handlers = 0;
  const take = (name: string, check: () => FieldError[]) => {
    if (handlers > 0) errors.push(forbiddenField(path.child(name), 'may not specify more than 1 handler type'));
    else {
      handlers++;
      errors.push(...check());
    }
  };
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec) take('exec', () => validateExec(exec, path.child('exec')));
  if (httpGet) take('httpGet', () => validateHttpGet(httpGet, path.child('httpGet')));
  if (tcpSocket) take('tcpSocket', () => validatePort(tcpSocket, path.child('tcpSocket', 'port')));
  if (grpc)
    take('grpc', () =>
      isPortNumber(grpc.port).map((message) => invalidValue(path.child('grpc', 'port'), grpc.port, message)),
    );
  if (sleep) {
    take('sleep', () => {
      const { seconds } = sleep;
      const limit = gracePeriod;
      return limit !== undefined && (seconds < 0 || seconds > limit)
        ? [
            invalidValue(
              path.child('sleep'),
              seconds,
              `must be non-negative and less than terminationGracePeriodSeconds (${limit})`,
            ),
          ]
        : [];
    });
  }
  if (handlers === 0) errors.push(required(path, 'must specify a handler type'));
  return errors;
}

function validateExec(exec: ExecAction, path: FieldPath): FieldError[] {
  return exec.command?.length ? [] : [required(path.child('command'))];
}

function validateHttpGet(http: HTTPGetAction, path: FieldPath): FieldError[] {
  const errors = [...requireText(http.path, path.child('path')), ...validatePort(http, path.child('port'))];
  if (http.scheme !== 'HTTP' && http.scheme !== 'HTTPS')
    errors.push(notSupported(path.child('scheme'), http.scheme ?? '', ['HTTP', 'HTTPS']));
  for (const header of http.httpHeaders ?? []) {
    for (const message of isHttpHeaderName(header.name))
      errors.push(invalidValue(path.child('httpHeaders'), header.name, message));
  }
  return errors;
}

function validatePort({ port }: HTTPGetAction | TCPSocketAction, path: FieldPath): FieldError[] {
  const messages = typeof port === 'string' ? isPortName(port) : isPortNumber(port ?? 0);
  return messages.map((message) => invalidValue(path, port ?? 0, message));
}
