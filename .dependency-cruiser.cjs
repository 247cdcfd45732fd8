// The walls of the house (ARCHITECTURE.md). Each ban says why it is there.
const only = (folder, allowed, why) => ({
  name: `${folder.replace(/\//g, '-')}-imports`,
  comment: why,
  severity: 'error',
  from: { path: `^src/${folder}/`, pathNot: '\\.test\\.ts$|/testing(/|\\.ts$)' },
  to: { path: '^src/', pathNot: [folder, ...allowed].map((name) => `^src/${name}/`).join('|') },
});
const clients = ['client', 'api', 'apimachinery'];
const anywhere = 'knows only the client, so that it can run in another process or on another machine';

module.exports = {
  forbidden: [
    only('apimachinery', [], 'The machinery under everything depends on nothing of ours, so that all can use it.'),
    only('api', ['apimachinery'], 'Kinds are data: they know nobody who serves or uses them.'),
    only('store', ['apimachinery'], 'A backend knows keys and bytes, not Kubernetes objects.'),
    only('client', ['api', 'apimachinery'], 'The client is what runs outside the API server.'),
    only('sdk', clients, 'What plugins are written against must not drag the server along.'),
    only('apiserver', ['store', 'sdk', 'api', 'apimachinery'], 'The API server serves clients and never is one.'),
    only('controllers', clients, `A controller ${anywhere}.`),
    only('scheduler', clients, `The scheduler ${anywhere}.`),
    only('kubelet', clients, `The kubelet ${anywhere}.`),
    only('kube-proxy', clients, `kube-proxy ${anywhere}.`),
    only('network', clients, `The pod network ${anywhere}.`),
    only('plugins', ['sdk', ...clients], 'First-party plugins use what any plugin can use.'),
    only('addons', [...clients, 'plugins', 'sdk'], `An add-on ${anywhere}.`),
    {
      name: 'cluster-below-cli',
      comment: 'Composition serves the command line and embedders alike.',
      severity: 'error',
      from: { path: '^src/cluster/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'no-circles',
      comment: 'Two files that need each other are one file or three.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    parser: 'swc', // TypeScript 7 has no API that it could use
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'node_modules|\\.gen\\.ts$' },
  },
};
