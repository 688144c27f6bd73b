import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from '../../test/support/compile-cache.ts'

keepCompiledCode()

/** The tests of one round, named by `rounds.ts`. A mutant that hangs must not be waited for as long as a slow test may take. */
export default defineConfig({
  test: {
    include: JSON.parse(process.env.MUTATION_TESTS ?? '[]'),
    testTimeout: 15_000,
    hookTimeout: 30_000,
  },
})
