import { defineConfig } from 'vitest/config'
import { keepCompiledCode } from './test/support/compile-cache.ts'
import { PATIENCE_MS } from './test/support/patience.ts'

keepCompiledCode()

/** Hours, or the quarter of one: `.ci/run` has it beside the suites that measure no time. */
export default defineConfig({
  test: {
    globalSetup: ['test/support/make-rsa-keys.ts'],
    setupFiles: ['test/support/setup.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    include: ['test/ops/soak.test.ts'],
    hookTimeout: 60_000,
    // The target prints one line.
    disableConsoleIntercept: true,
  },
})
