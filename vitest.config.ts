import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // These need servers that `.ci/run` brings; `npm run test:interop` and `npm run test:conformance` run them.
    exclude: ['test/interop/**', 'test/conformance/**', 'node_modules/**'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
})
