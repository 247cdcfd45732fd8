/** grpc.health.v1.Health, as far as a probe needs it. */
const HEALTH = {
  nested: {
    grpc: {
      nested: {
        health: {
          nested: {
            v1: {
              nested: {
                Health: {
                  methods: { Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' } },
                },
                HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
                HealthCheckResponse: { fields: { status: { type: 'int32', id: 1 } } },
              },
            },
          },
        },
      },
    },
  },
};

const SERVING = 1;
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** Resolves to `undefined` when the service serves, else to why not. */
export async function grpcHealthCheck(
  address: string,
  service: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const { openGrpcChannel } = await import('../runtime/cri/grpc-channel.ts');
  const channel = await openGrpcChannel(address, HEALTH);
  try {
    const { status } = await channel
      .service('grpc.health.v1.Health')
      .call<{ status: number }>('Check', { service }, timeoutMs);
    return status === SERVING ? undefined : `service unhealthy (responded with "${STATUSES[status] ?? status}")`;
  } catch (error) {
    const { code, description } = error as { code?: string; description?: string };
    if (code === 'Unimplemented')
      return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${description}`;
    if (code === 'DeadlineExceeded') return `timeout: health rpc did not complete within ${timeoutMs / 1000}s`;
    if (code === 'Unavailable')
      return `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: ${description}`;
    return `error: health rpc probe failed: ${(error as Error).message}`;
  } finally {
    channel.close();
  }
}
