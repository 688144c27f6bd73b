import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    setupFiles: ['test/support/watch-secrets.ts'],
    include: ['test/interop/**/*.test.ts'],
    // Real processes on both sides: two at a time are enough for a small machine.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
