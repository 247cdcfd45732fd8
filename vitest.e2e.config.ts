import { defineConfig } from 'vitest/config';

// Scenarios run one after another: most share one booted cluster, and the machine has few cores.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/shared-cluster.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    fileParallelism: false,
    // `import 'k8ts'` is the built library, and Node loads it as it is.
    server: { deps: { external: [/\/dist\//] } },
  },
});
