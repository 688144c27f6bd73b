// Calls that are open while another configuration comes into force are judged by it: by the arguments with which they were made.
import { afterEach, expect, it } from 'vitest'
import { scripted } from '../support/gate.ts'
import { createToolCall, type LegacySession, openSession, readAnswer, textOf } from '../support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
let issuer: TestIssuer
let proxy: TestProxy
let session: LegacySession
afterEach(async () => {
  await proxy.close()
  await issuer.close()
})

/** What the MCP server is told of the caller stands in `_meta`, before the arguments. */
async function start(rules: object[] = []) {
  issuer = await startIssuer({ audience })
  const upstream = { command: [...scripted], process_per: 'shared' as const }
  const server = { name: 'tool', path: '/mcp', upstream, audience: [audience], identity: { claims: ['team'] }, rules }
  proxy = await startTestProxy({ issuers: [issuer.issuer], servers: [server] })
  session = await openSession(proxy.origin, { user: await issuer.mint(), revision: '2025-06-18' })
  return (others: object[]) => proxy.reloadWith({ servers: [{ ...server, rules: others }] })
}

const rule = { tool: 'wait', require: 'args.amount < 10' }

/** A call that lasts. When the second one has begun, after a second, the first is among the requests that are decided anew. */
async function openCall(body: unknown): Promise<Response> {
  const open = await session.post(body)
  await session.post(createToolCall('wait', { amount: 1 }))
  return open
}

it('one whose arguments are still permitted has its answer', async () => {
  const reload = await start()
  const open = await openCall(createToolCall('wait', { amount: 1 }))
  expect((await reload([rule])).outcome).toBe('reloaded')
  await session.call('release')
  expect(textOf(await readAnswer(open))).toBe('released')
})

it('one whose arguments are not permitted any more ends, whatever stands where they would without what is added', async () => {
  const reload = await start()
  const arrived = Buffer.from(await session.call('line'), 'base64').toString()
  const [added = ''] = /"_meta":\{.*\}\},(?="name")/.exec(arrived) ?? []
  const args = '{"amount":99}'
  const bait = '{"amount": 9}'
  const between = ',"x":"","arguments":'
  const filler = 'x'.repeat(added.length - bait.length - between.length)
  const params = `{"name":"wait","bait":${bait}${between.replace('""', `"${filler}"`)}${args}}`
  const open = await openCall(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}`)
  expect((await reload([rule])).outcome).toBe('reloaded')
  await session.call('release')
  await expect(readAnswer(open)).rejects.toThrow()
})

it.each([
  ['still', { tool: 'wait', require: 'args.amount < 5' }, 'released'],
  ['no longer', { tool: 'wait', require: 'args.amount > 5' }, undefined],
])(
  'one of a long body whose arguments were looked at is judged by them, too: where they are %s permitted',
  async (_how, other, said) => {
    const reload = await start([rule])
    const open = await openCall(createToolCall('wait', { amount: 1, note: 'x'.repeat(100_000) }))
    expect((await reload([other])).outcome).toBe('reloaded')
    await session.call('release')
    expect(await readAnswer(open).then(textOf, () => undefined)).toBe(said)
  },
)
