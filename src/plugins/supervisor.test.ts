import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { forbidden } from '../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../sdk/admission.ts';
import type { Authenticator } from '../sdk/authentication.ts';
import type { Authorizer } from '../sdk/authorization.ts';
import { z } from '../sdk/index.ts';
import { definePlugin, type Plugin } from '../sdk/plugin.ts';
import type { ExtensionPoints } from './registrations.ts';
import { type Configuration, PluginSupervisor, type SupervisorStatus, type SupervisorTiming } from './supervisor.ts';

const options = z.strictObject({ token: z.string() });
const request = { headers: {} };

/** An extension point that keeps what is registered. */
function point<T>() {
  const registered: T[] = [];
  return {
    registered,
    register(item: T) {
      registered.push(item);
      return () => void registered.splice(registered.indexOf(item), 1);
    },
  };
}

const supervisors: PluginSupervisor[] = [];
afterEach(async () => {
  await Promise.all(supervisors.splice(0).map((supervisor) => supervisor.end()));
});

function supervise(plugin: Plugin, timing: Partial<SupervisorTiming> = {}) {
  const authentication = point<Authenticator>();
  const authorization = point<Authorizer>();
  const admission = point<AdmissionStep>();
  const statuses: SupervisorStatus[] = [];
  const supervisor = new PluginSupervisor({
    plugin,
    points: { authentication, authorization, admission } as ExtensionPoints,
    logger: silentLogger,
    client: () => ({}) as never,
    metrics: { counter: () => ({ add() {} }), gauge: () => ({ set() {} }) },
    inPlugin: (call) => call(),
    onStatus: (status) => statuses.push(status),
    timing: {
      setupDeadlineMs: 50,
      callDeadlineMs: 20,
      stopDeadlineMs: 50,
      restartMs: 10,
      failuresToCrash: 2,
      ...timing,
    },
  });
  supervisors.push(supervisor);
  return { supervisor, authentication, authorization, admission, statuses };
}

const configured = (given: unknown, configMap = 'default/c'): Configuration => ({ configMap, options: given });

describe('a plugin', () => {
  it('is set up, set up anew and stopped by its configuration', async () => {
    const log: string[] = [];
    const plugin = definePlugin({
      name: 'p',
      type: 'authentication',
      options,
      setup(context, { token }) {
        log.push(`set up ${token}`);
        context.authentication.register({
          name: 'a',
          authenticate: ({ bearerToken }) =>
            bearerToken === token ? { user: { name: token, groups: [] } } : undefined,
        });
        context.signal.addEventListener('abort', () => log.push(`aborted ${token}`));
        return () => void log.push(`stopped ${token}`);
      },
    });
    const { supervisor, authentication } = supervise(plugin);
    const ask = (bearerToken: string) =>
      authentication.registered.some(
        (authenticator) => authenticator.authenticate({ ...request, bearerToken }) !== undefined,
      );
    await supervisor.configure(configured({ token: 'a' }));
    expect(supervisor.status).toEqual({ phase: 'Running', message: '', configMap: 'default/c' });
    expect(ask('a')).toBe(true);
    await supervisor.configure(configured({ token: 'a' }));
    await supervisor.configure(configured({ token: 'b' }));
    expect([ask('a'), ask('b'), authentication.registered.length]).toEqual([false, true, 1]);
    await supervisor.configure(undefined);
    expect(authentication.registered).toEqual([]);
    expect(supervisor.status.phase).toBe('Stopped');
    expect(log).toEqual(['set up a', 'set up b', 'aborted a', 'stopped a', 'aborted b', 'stopped b']);
  });

  it('goes on as it was when its options are wrong', async () => {
    const setup = vi.fn();
    const { supervisor, statuses } = supervise(definePlugin({ name: 'p', type: 'logging', options, setup }));
    await supervisor.configure(configured({ tokn: 1 }));
    expect(supervisor.status).toMatchObject({ phase: 'Failed', invalid: { configMap: 'default/c' } });
    expect(supervisor.status.message).toMatch(
      /^ConfigMap default\/c is wrong: options\.token: Invalid input: expected string/,
    );
    await supervisor.configure(configured({ token: 'a' }));
    await supervisor.configure(configured({ token: 5 }));
    expect(supervisor.status.phase).toBe('Running');
    expect(supervisor.status.message).toMatch(/the former configuration stays in force: options\.token/);
    await supervisor.configure({
      configMap: 'default/c',
      options: undefined,
      error: 'x-plugin-config: it is not YAML',
    });
    expect(supervisor.status.phase).toBe('Running');
    expect(setup).toHaveBeenCalledTimes(1);
    await supervisor.configure(configured({ token: 'a' }));
    expect(statuses.at(-1)).toEqual({ phase: 'Running', message: '', configMap: 'default/c' });
  });

  it('is tried again when its setup throws or hangs, and its late end is stopped', async () => {
    let attempts = 0;
    const lateStop = vi.fn();
    const plugin = definePlugin({
      name: 'p',
      type: 'logging',
      options,
      async setup() {
        attempts++;
        if (attempts === 1) throw new Error('no luck');
        if (attempts === 2) {
          await sleep(80);
          return lateStop;
        }
      },
    });
    const { supervisor, statuses } = supervise(plugin);
    await supervisor.configure(configured({ token: 'a' }));
    expect(supervisor.status).toMatchObject({ phase: 'Failed', message: 'no luck; it is tried again in 1 s' });
    await vi.waitFor(() => expect(supervisor.status.phase).toBe('Running'), 2000);
    expect(statuses.some(({ message }) => message.startsWith('setup of plugin p did not answer within 50 ms'))).toBe(
      true,
    );
    await vi.waitFor(() => expect(lateStop).toHaveBeenCalledTimes(1));
  });

  it('that hangs in calls crashes alone, closed, and comes back', async () => {
    let setups = 0;
    const plugin = definePlugin({
      name: 'p',
      type: 'authorization',
      options,
      setup(context) {
        const hangs = ++setups === 1;
        context.authorization.register({
          name: 'z',
          authorize: () => (hangs ? new Promise(() => {}) : { decision: 'allow' }),
        });
      },
    });
    const { supervisor, authorization } = supervise(plugin, { restartMs: 60 });
    await supervisor.configure(configured({ token: 'a' }));
    const attributes = {
      user: { name: 'bob', groups: [] as string[] },
      verb: 'get',
      resourceRequest: true,
      group: '',
      version: 'v1',
      resource: 'pods',
      subresource: '',
      namespace: '',
      name: '',
      path: '',
    };
    const ask = async (user = attributes.user) => authorization.registered[0]!.authorize({ ...attributes, user });
    await expect(ask()).rejects.toThrow('the authorizer of plugin p did not answer within 20 ms');
    await expect(ask()).rejects.toThrow();
    expect(supervisor.status.phase).toBe('Failed');
    await expect(ask()).rejects.toThrow('plugin p has crashed and is about to be started again');
    expect(await ask({ name: 'system:kube-scheduler', groups: [] })).toEqual({ decision: 'noOpinion' });
    await vi.waitFor(() => expect(supervisor.status.phase).toBe('Running'));
    expect(await ask()).toEqual({ decision: 'allow' });
    expect(authorization.registered).toHaveLength(1);
  });

  it('that fails in admission refuses users, not the cluster, and rejects as it likes', async () => {
    let rejects = true;
    const plugin = definePlugin({
      name: 'p',
      type: 'admission',
      options,
      setup(context) {
        context.admission.register({
          name: 'step',
          handles: () => true,
          validate() {
            if (rejects) throw forbidden({ group: '', resource: 'pods' }, 'web', 'not today');
            throw new Error('bug');
          },
        });
      },
    });
    const { supervisor, admission } = supervise(plugin, { failuresToCrash: 100 });
    await supervisor.configure(configured({ token: 'a' }));
    const validate = async (name: string) =>
      admission.registered[0]!.validate!({ user: { name, groups: [] } } as unknown as AdmissionAttributes, undefined);
    await expect(validate('bob')).rejects.toThrow('pods "web" is forbidden: not today');
    await expect(validate('system:kube-scheduler')).rejects.toThrow('not today');
    rejects = false;
    await expect(validate('bob')).rejects.toThrow('admission step step of plugin p failed: bug');
    await validate('system:kube-scheduler');
  });
});

describe('definePlugin', () => {
  it('refuses what is no plugin', () => {
    const good = { name: 'p', type: 'logging', options, setup() {} } as const;
    expect(() => definePlugin({ ...good, name: 'Not A Label' })).toThrow(/plugin name "Not A Label"/);
    expect(() => definePlugin({ ...good, type: 'x' as 'logging' })).toThrow(
      'plugin p: type must be one of authentication',
    );
    expect(() => definePlugin({ ...good, options: {} as never })).toThrow('plugin p: options must be a schema');
  });
});
