import { describe, expect, it } from 'vitest';
import type { Pod, Secret } from '../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import { notFound } from '../../apimachinery/status-error.ts';
import { imageCredentials } from './credentials.ts';
import { defaultPullPolicy, normalizeImageName, parseImageName } from './image-name.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('image names', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['user/app:1', 'docker.io/user/app:1'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`ghcr.io/a/b@${digest}`, `ghcr.io/a/b@${digest}`],
    [`a:1@${digest}`, `docker.io/library/a:1@${digest}`],
  ])('%s is %s', (name, full) => expect(normalizeImageName(name)).toBe(full));
  it('refuses what is none', () => {
    for (const name of ['', 'UPPER', 'a//b', 'a:', '-x', 'http://x/y', 'a b'])
      expect(() => parseImageName(name)).toThrow('invalid reference format');
  });
  it('pulls latest always', () => {
    expect([
      defaultPullPolicy('a'),
      defaultPullPolicy('a:latest'),
      defaultPullPolicy('a:1'),
      defaultPullPolicy(`a@${digest}`),
    ]).toEqual(['Always', 'Always', 'IfNotPresent', 'IfNotPresent']);
  });
});

describe('imageCredentials', () => {
  it('finds the closest entry of the pull secrets', async () => {
    const auth = (user: string) => ({ auth: Buffer.from(`${user}:pw`).toString('base64') });
    const config = {
      auths: {
        'https://index.docker.io/v1/': auth('hub'),
        'reg.example.com': auth('all'),
        'reg.example.com/team': auth('team'),
        '*.cloud.io': auth('glob'),
      },
    };
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') },
    };
    const source = {
      configMap: async () => Promise.reject(new Error('none')),
      secret: async (_: string, name: string) =>
        name === 's' ? secret : Promise.reject(notFound({ group: '', resource: 'secrets' }, name)),
    };
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'd' },
      spec: { containers: [], imagePullSecrets: [{ name: 'gone' }, { name: 's' }] },
    };
    const users = async (image: string) =>
      (await imageCredentials(pod, image, source, silentLogger)).map(({ username }) => username);
    expect(await users('busybox')).toEqual(['hub']);
    expect(await users('reg.example.com/team/app:1')).toEqual(['team', 'all']);
    expect(await users('reg.example.com/teamster/app:1')).toEqual(['all']);
    expect(await users('eu.cloud.io/x')).toEqual(['glob']);
    expect(await users('other.io/x')).toEqual([]);
  });
});
