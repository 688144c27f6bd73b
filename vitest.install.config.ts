import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    include: ['test/install/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
