// The same server over its standard streams must pass the suite as it does over HTTP.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'
import { type SuiteServer, startSuiteServer } from './server/suite-server.ts'
import { countChecks, REVISIONS, runServerScenarios } from './suite.ts'

const program = fileURLToPath(new URL('./server/suite-server-stdio.ts', import.meta.url))

/**
 * Here a server breaks off the stream of a call, so that its client comes back for the answer. Over standard streams there is nothing by
 * which it could say so: the answer comes on the stream that is there, and what the suite notes about the second connection is missing.
 */
const breakingOff =
  /^server-server-sse-polling › (?:server-sse-disconnect-resume|outgoing-request|incoming-response|incoming-sse-event) /

let issuer: TestIssuer
let proxy: TestProxy
let direct: SuiteServer
beforeAll(async () => {
  direct = await startSuiteServer()
  issuer = await startIssuer()
  proxy = await startTestProxy({
    issuers: [issuer.issuer],
    servers: [{ path: '/mcp', upstream: { command: [process.execPath, program], max_processes: 100 } }],
  })
})
afterAll(async () => {
  await proxy.close()
  await issuer.close()
  await direct.close()
})

it.each(REVISIONS)('every check of %s comes out as over HTTP', async (revision) => {
  const value = await issuer.mint({ claims: { aud: `${proxy.origin}/mcp` } })
  const checks = await runServerScenarios(`${proxy.origin}/mcp`, revision, { token: { origin: proxy.origin, value } })
  const expected = await runServerScenarios(direct.url, revision)
  expect(checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING')).toEqual([])
  const without = (counts: Record<string, number>) =>
    Object.entries(counts)
      .filter(([check]) => !breakingOff.test(check))
      .sort()
  expect(without(countChecks(checks))).toEqual(without(countChecks(expected)))
})
