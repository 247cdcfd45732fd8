/** Of k8ts. Replaced by the package's version when it is built. */
declare const __K8TS_VERSION__: string | undefined;
export const VERSION = typeof __K8TS_VERSION__ === 'string' ? __K8TS_VERSION__ : '0.0.0-dev';
