/** About 1 KB. */
export function configMap(name: string, change = ''): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'bench', labels: { app: 'bench', tier: 'backend' } },
    data: {
      change,
      'settings.json': '{"listen":"0.0.0.0:8080","log":{"level":"info","format":"json"}}',
      text: 'All work and no play makes a dull benchmark. '.repeat(11),
    },
  };
}

const NODES = 100;

/** 4.8 KB as served, a quarter of it managed fields. Each hundredth carries the label `sample=yes`; a hundred nodes share them evenly. */
export function pod(number: number): object {
  const container = (name: string) => ({
    name,
    image: `registry.example.com/team/${name}:v1.${number % 50}`,
    args: ['--listen=0.0.0.0:8080', '--config=/etc/app/config.yaml', '--log-level=info'],
    env: Array.from({ length: 3 }, (_, index) => ({ name: `SETTING_${index}`, value: `value-${number}-${index}` })),
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '500m', memory: '256Mi' } },
    readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 },
    volumeMounts: [{ name: 'config', mountPath: '/etc/app' }],
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${String(number).padStart(6, '0')}`,
      namespace: 'bench',
      labels: {
        app: `app-${number % 200}`,
        'pod-template-hash': '5d4f8c7b9',
        ...(number % 100 === 0 ? { sample: 'yes' } : {}),
      },
      annotations: { 'example.com/build': `${number}-${'0123456789abcdef'.repeat(8)}` },
    },
    spec: {
      nodeName: nodeName(number),
      containers: [container('web'), container('sidecar')],
      volumes: [{ name: 'config', configMap: { name: 'app-config' } }],
    },
  };
}

export const nodeName = (number: number): string => `node-${number % NODES}`;
