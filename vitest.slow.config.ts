import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { slowFiles } from './test/support/slow-files.ts'

keepCompiledCode()

export default defineConfig({
  test: {
    setupFiles: ['test/support/watch-secrets.ts'],
    include: [...slowFiles],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
