/** k8ts as a library: a cluster in this process, and what controllers and plugins are written with. */
export { CodedError } from './apimachinery/coded-error.ts';
export { isStatusError, StatusError } from './apimachinery/status-error.ts';
export type { Client, ResourceClient, ResourceType } from './client/client.ts';
export * from './client/resource-types.gen.ts';
export { Cluster } from './cluster/cluster.ts';
export type { Timeline } from './cluster/graph/component.ts';
export type { ClusterOptions } from './cluster/options.ts';
export * from './controllers/runtime/index.ts';
