export const SERVICE_NAME = 'metrics-server';
export const SERVICE_NAMESPACE = 'kube-system';

/** DNS names that the serving certificate must have: the API server checks the first, the last is for loopback. */
export const METRICS_SERVER_NAMES: readonly string[] = [`${SERVICE_NAME}.${SERVICE_NAMESPACE}.svc`, 'localhost'];
