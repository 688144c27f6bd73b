import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    include: ['test/interop/**/*.test.ts'],
    // Real processes on both sides: two at a time are enough for a small machine.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
