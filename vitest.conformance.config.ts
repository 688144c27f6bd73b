import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    setupFiles: ['test/support/watch-secrets.ts'],
    include: ['test/conformance/**/*.test.ts'],
    // The suite waits for streams in real time; two files at once would make it wait for the machine as well.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
})
