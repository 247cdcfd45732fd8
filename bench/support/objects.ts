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

/** 5.2 KB as served, a quarter of it managed fields. Each hundredth carries the label `sample=yes`; a hundred nodes share them evenly. */
export function pod(number: number): object {
  const container = (name: string) => ({
    name,
    image: `registry.example.com/team/${name}:v1.${number % 50}`,
    args: ['--listen=0.0.0.0:8080', '--log-level=info'],
    env: Array.from({ length: 2 }, (_, index) => ({ name: `SETTING_${index}`, value: `value-${number}-${index}` })),
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
      annotations: { 'example.com/build': `${number}-${'0123456789abcdef'.repeat(4)}` },
    },
    spec: {
      nodeName: nodeName(number),
      containers: [container('web'), container('sidecar')],
      volumes: [{ name: 'config', configMap: { name: 'app-config' } }],
    },
  };
}

export const nodeName = (number: number): string => `node-${number % NODES}`;

export const GROUP = 'bench.example.com';

/** A namespaced kind with what schemas usually have: nested objects, lists, limits, enumerations, defaults, columns. */
export function customResourceDefinition(plural: string, kind: string): object {
  const text = { type: 'string', maxLength: 1024 };
  const part = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-z0-9-]+$' },
      weight: { type: 'integer', format: 'int32', minimum: 0, maximum: 1000, default: 1 },
      mode: { type: 'string', enum: ['Active', 'Passive'], default: 'Active' },
      note: text,
    },
  };
  const schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        required: ['replicas'],
        properties: {
          replicas: { type: 'integer', format: 'int32', minimum: 0 },
          paused: { type: 'boolean', default: false },
          parts: {
            type: 'array',
            maxItems: 100,
            items: part,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
          },
          settings: { type: 'object', additionalProperties: text },
        },
      },
      status: { type: 'object', properties: { phase: { type: 'string' }, ready: { type: 'integer' } } },
    },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: { status: {} },
          additionalPrinterColumns: [{ name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' }],
        },
      ],
    },
  };
}

/** About 1 KB as sent. */
export function widget(number: number): object {
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'Widget',
    metadata: { name: `widget-${number}`, namespace: 'bench', labels: { app: 'bench', shard: String(number % 16) } },
    spec: {
      replicas: number % 5,
      parts: Array.from({ length: 4 }, (_, index) => ({
        name: `part-${index}`,
        weight: index,
        note: `The ${index}th part of widget ${number}, which has as much to say as such parts do`,
      })),
      settings: Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`setting-${index}`, `value ${number}`])),
    },
  };
}
