import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { slowFiles } from './test/support/slow-files.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    setupFiles: ['test/support/watch-secrets.ts'],
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // `npm run test:slow` runs the slow ones, `npm run test:ops` those that measure. The others need servers that `.ci/run` brings:
    // `npm run test:interop` and `npm run test:conformance`.
    exclude: [...slowFiles, 'test/ops/**', 'test/install/**', 'test/interop/**', 'test/conformance/**', 'node_modules/**'],
    // Much of the time is spent waiting for what a slow or silent peer must not be able to do: two processors can wait for four files.
    maxWorkers: Math.max(4, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
