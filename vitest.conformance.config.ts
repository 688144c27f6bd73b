import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    include: ['test/conformance/**/*.test.ts'],
    // The suite waits for streams in real time; two files at once would make it wait for the machine as well.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
})
