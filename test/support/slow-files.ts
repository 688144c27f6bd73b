/**
 * Stories that take half a minute and more each: processes that are killed at every step, memory that is filled, browsers, waiting for
 * what a slow peer must not be able to do. `npm run test:slow` runs them, `npm test` does not, so that it stays a matter of minutes.
 */
export const slowFiles: readonly string[] = [
  'test/init-providers.test.ts',
  'test/list-filtering.test.ts',
  'test/mutation.test.ts',
  'test/stdio-chaos.test.ts',
  'test/stdio-odd-answers.test.ts',
  'test/stdio-start.test.ts',
  'test/upstream-outage.test.ts',
  'test/upstreams.test.ts',
  'test/broker/asgardeo.test.ts',
  'test/broker/browser-expiry.test.ts',
  'test/broker/browser-tls.test.ts',
  'test/broker/browser.test.ts',
  'test/broker/crash-redis.test.ts',
  'test/broker/crash.test.ts',
  'test/broker/identity-provider-faults.test.ts',
  'test/broker/two-processes.test.ts',
  'test/security/broker-documents.test.ts',
  'test/security/explain.test.ts',
  'test/security/naughty-strings.test.ts',
  'test/security/regexp-work.test.ts',
  'test/security/resource-openers.test.ts',
  'test/security/slow-peers.test.ts',
  'test/security/stdio-hostile-lines.test.ts',
  'test/security/stdio-memory.test.ts',
  'test/security/stdio-resources.test.ts',
  'test/security/stdio.test.ts',
  'test/security/stream-ends.test.ts',
]
