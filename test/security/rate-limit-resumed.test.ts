// A client that leaves a call whose stream it may resume has its MCP server go on with it: limits on calls at a time go on, too.
import { afterEach, expect, it } from 'vitest'
import { scripted } from '../support/gate.ts'
import { createToolCall, type LegacySession, openSession, readEvents } from '../support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
let issuer: TestIssuer
let proxy: TestProxy
afterEach(async () => {
  await proxy.close()
  await issuer.close()
})

async function start(processPer: 'session' | 'shared'): Promise<LegacySession> {
  issuer = await startIssuer({ audience })
  const upstream = { command: [...scripted], process_per: processPer }
  const server = { path: '/mcp', upstream, audience: [audience], rate_limits: [{ concurrent_calls: 1 }] }
  proxy = await startTestProxy({ issuers: [issuer.issuer], servers: [server] })
  return openSession(proxy.origin, { user: await issuer.mint() })
}

/** Begins a call that does not end, and leaves it. @returns the id of its first event */
async function leaveCall(session: LegacySession): Promise<string> {
  const leave = new AbortController()
  const call = createToolCall('wait', {}, undefined, 'left')
  const { value } = await readEvents(await session.post(call, { signal: leave.signal })).next()
  leave.abort()
  await proxy.log.waitFor(() => proxy.log.text().includes('client_gone'))
  return value?.id ?? ''
}

const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'left' } }
const status = async (session: LegacySession): Promise<number> => {
  const answer = await session.post(createToolCall('echo', { text: 'x' }))
  await answer.text()
  return answer.status
}

it.each(['session', 'shared'] as const)('a call that was left keeps its place, with a process per %s', async (processPer) => {
  const session = await start(processPer)
  const left = await leaveCall(session)
  expect(await status(session)).toBe(429)
  const leave = new AbortController()
  const resumed = await session.get({ headers: { 'last-event-id': left }, signal: leave.signal })
  expect([resumed.status, await status(session)]).toEqual([200, 429])
  leave.abort()
  await session.post(cancelled)
  await expect.poll(() => status(session)).toBe(200)
})
