import type { RequestFacts } from '../../src/core/decision.ts'

/** What policy is told of a request where a test does not care. */
export const someFacts: RequestFacts = {
  server: 'test',
  revision: '2025-11-25',
  address: '127.0.0.1',
  now: () => Date.UTC(2026, 0, 1),
  readArguments: () => undefined,
}
