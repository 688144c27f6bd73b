const calls = ['test/security/mcp-*.test.ts', 'test/security/http-sse.test.ts']

/** What judges the mutants of a folder that live on after the tests beside it: quick enough to be run for each. */
export const suites: Readonly<Record<string, readonly string[]>> = {
  'src/policy': [...calls, 'test/security/resource-*.test.ts'],
  'src/mcp': calls,
  'src/pipeline': [
    ...calls,
    'test/security/{bearer,behind-answers,hostile-upstream,long-bodies,origin-host-cors,stream-ends}.test.ts',
    'test/security/http-{headers,paths}.test.ts',
  ],
  'src/http': [
    'test/security/http-{headers,paths,framing}.test.ts',
    'test/security/{behind-answers,long-bodies,origin-host-cors,forwarded}*.test.ts',
    'test/security/mcp-bodies.test.ts',
  ],
  'src/oauth': ['test/security/{jwt-claims,jwt-signature,keys,bearer,broker-ssrf}.test.ts', 'test/vendor-tokens.test.ts'],
  'src/broker': ['test/security/broker-*.test.ts', 'test/broker/{clients,identity-provider,machines,keys}*.test.ts'],
}
