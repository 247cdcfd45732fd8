export type ProbeResult = 'success' | 'failure' | 'unknown';
export type ProbeKind = 'startup' | 'liveness' | 'readiness';
