import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'
import { slowFiles } from './test/support/slow-files.ts'

keepCompiledCode()

/**
 * Each needs a process of its own: OpenTelemetry is registered once in a process, long bodies are read by a thread that the first one starts, and
 * a module of Node can be replaced only before anything has imported it.
 */
const apart = ['test/**/tracing*.test.ts', 'test/security/long-bodies.test.ts', 'test/security/slow-name-servers.test.ts']

export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    // `npm run test:slow` runs the slow ones, `npm run test:ops` those that measure. The others need servers that `.ci/run` brings:
    // `npm run test:interop` and `npm run test:conformance`.
    exclude: [...slowFiles, 'test/ops/**', 'test/install/**', 'test/interop/**', 'test/conformance/**', 'node_modules/**'],
    // Much of the time is spent waiting for what a slow or silent peer must not be able to do: two processors can wait for four files.
    maxWorkers: Math.max(4, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      // Hundreds of short files. A process for each would take longer to start than the tests take: they share some, and the code that they load.
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'end to end', include: ['test/**/*.test.ts'], exclude: apart, isolate: false } },
      { extends: true, test: { name: 'apart', include: apart } },
    ],
  },
})
