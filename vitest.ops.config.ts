import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    include: ['test/ops/**/*.test.ts'],
    // `npm run test:soak`.
    exclude: ['test/ops/soak.test.ts'],
    // Numbers are measured: one file at a time has the machine.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Each target prints one line.
    disableConsoleIntercept: true,
  },
})
