import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    setupFiles: ['test/support/watch-secrets.ts'],
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
