import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../support/embedded-cluster.ts';
import { type Kubectl, runCommand } from '../support/kubectl.ts';
import { helmPath } from '../support/tools.ts';

const CHART: Record<string, string> = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: "1"\n',
  'values.yaml': 'replicas: 1\ngreeting: hello\n',
  'templates/_helpers.tpl':
    '{{- define "shop.labels" -}}\napp.kubernetes.io/name: {{ .Chart.Name }}\napp.kubernetes.io/instance: {{ .Release.Name }}\n{{- end -}}\n',
  'templates/access.yaml': `apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .Release.Name }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .Release.Name }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .Release.Name }}
subjects:
  - kind: ServiceAccount
    name: {{ .Release.Name }}
    namespace: {{ .Release.Namespace }}
`,
  'templates/app.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  greeting: {{ .Values.greeting | quote }}
  capable: {{ .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {{- include "shop.labels" . | nindent 4 }}
  ports:
    - port: 80
      targetPort: http
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "shop.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "shop.labels" . | nindent 8 }}
      annotations:
        checksum: {{ .Values.greeting | sha256sum }}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers:
        - name: app
          image: registry.example/shop:1
          ports:
            - name: http
              containerPort: 8080
`,
};

describe.each([3, 4] as const)('helm %i', (version) => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;
  let chart: string;

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    kubectl = await embedded.kubectl('shop');
    chart = join(embedded.folder, 'shop');
    for (const [file, text] of Object.entries(CHART)) {
      mkdirSync(dirname(join(chart, file)), { recursive: true });
      writeFileSync(join(chart, file), text);
    }
  });
  afterAll(() => embedded.stop());

  const helm = async (...args: string[]): Promise<string> => {
    const env = { HOME: embedded.folder, PATH: process.env.PATH };
    const { code, stdout, stderr } = await runCommand(
      await helmPath(version),
      ['--kubeconfig', embedded.kubeconfig, '--namespace', 'shop', ...args],
      { env },
    );
    if (code !== 0) throw new Error(`helm ${args.join(' ')} exited with ${code}:\n${stderr}${stdout}`);
    return stdout;
  };
  const greeting = () => kubectl('get configmap web -o jsonpath={.data.greeting}');

  it('installs and waits until everything is there', async () => {
    const output = await helm('install', 'web', chart, '--create-namespace', '--wait', '--timeout', '60s');
    expect(output).toMatch(/STATUS: deployed\nREVISION: 1/);
    expect(await kubectl('get deployment web --no-headers')).toMatch(/^web +1\/1 /);
    expect(await kubectl('get configmap web -o jsonpath={.data.capable}')).toBe('true');
    expect(await kubectl('auth can-i get configmaps --as system:serviceaccount:shop:web')).toBe('yes\n');
    expect(JSON.parse(await helm('list', '-o', 'json'))).toMatchObject([
      { name: 'web', revision: '1', status: 'deployed', chart: 'shop-1.0.0' },
    ]);
    expect(await kubectl('get secrets -l owner=helm -o name')).toBe('secret/sh.helm.release.v1.web.v1\n');
  });

  it('upgrades', async () => {
    expect(
      await helm('upgrade', 'web', chart, '--set', 'replicas=2,greeting=good day', '--wait', '--timeout', '60s'),
    ).toContain('REVISION: 2');
    expect(await greeting()).toBe('good day');
    expect(await kubectl('get deployment web --no-headers')).toMatch(/^web +2\/2 /);
  });

  it('rolls back', async () => {
    await helm('rollback', 'web', '1', '--wait', '--timeout', '60s');
    expect(await greeting()).toBe('hello');
    expect(
      JSON.parse(await helm('history', 'web', '-o', 'json')).map(({ status }: { status: string }) => status),
    ).toEqual(['superseded', 'superseded', 'deployed']);
    expect(await helm('status', 'web')).toContain('STATUS: deployed');
  });

  it('uninstalls', async () => {
    await helm('uninstall', 'web', '--wait', '--timeout', '60s');
    expect(
      await kubectl('get deployments,services,configmaps,serviceaccounts,roles,rolebindings,pods,secrets -o name'),
    ).toBe('configmap/kube-root-ca.crt\nserviceaccount/default\n');
  });
});
