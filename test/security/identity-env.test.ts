// A process that is told in its environment who calls serves that caller alone, for as long as the same is true of them.
import { readFileSync } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, it } from 'vitest'
import { scripted } from '../support/gate.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { startIssuer, type TestIssuer } from '../support/tokens.ts'

const audience = 'https://mcp.example.com/mcp'
const variables = {
  MCP_USER: { claim: 'sub' },
  MCP_TEAM: { claim: 'team' },
  MCP_EMAIL: { claim: 'email' },
  MCP_GROUPS: { claim: 'groups' },
}

let issuer: TestIssuer
let proxy: TestProxy
afterEach(async () => {
  await proxy.close()
  await issuer.close()
})

type Upstream = { env?: Record<string, string>; max_processes?: number }

const server = (upstream: Upstream = {}, identity: object = { env: variables }) => ({
  path: '/mcp',
  sse: { path: '/sse' },
  upstream: { command: [...scripted], ...upstream },
  audience: [audience],
  identity,
})

async function start(upstream?: Upstream): Promise<void> {
  issuer = await startIssuer({ audience })
  proxy = await startTestProxy({ issuers: [issuer.issuer], servers: [server(upstream)] })
}

const mint = (sub: string | undefined, claims: object = {}) => issuer.mint({ claims: { sub, ...claims } })
const MODERN = { modern: (token: string, tool: string) => callModern(proxy.origin, tool, {}, { user: token }) }
const askModern = async (token: string, tool: string) => textOf(await readAnswer(MODERN.modern(token, tool)))

/** What the process of a call finds under the names of the configuration. */
function findTold(environment: string): Record<string, string> {
  return Object.fromEntries(Object.entries<string>(JSON.parse(environment)).filter(([name]) => name.startsWith('MCP_')))
}

/** Asks in a new MCP session, or without one. */
const ask = {
  legacy: async (token: string, tool: string) => (await openSession(proxy.origin, { user: token })).call(tool),
  modern: askModern,
}

/** Asks over HTTP+SSE, and leaves the stream open. */
async function openSse(token: string) {
  const events = readEvents(await sendMcp(`${proxy.origin}/sse`, { method: 'GET', user: token, accept: 'text/event-stream' }))
  const next = async () => (await events.next()).value?.data ?? ''
  const endpoint = new URL(await next(), proxy.origin).href
  const post = (body: unknown, user = token) => sendMcp(endpoint, { user, body })
  const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
  await post(createRequest('initialize', params))
  await next()
  return { post, next, close: () => events.return(undefined) }
}

describe.each(['legacy', 'modern'] as const)('a process of a %s client', (kind) => {
  it.each(['legacy', 'both'])('finds in its environment who calls (server: %s)', async (ERA) => {
    await start({ env: { ERA, SHARED: 'yes' } })
    const alice = await mint('alice', { team: 'blue, Zoë', email: 'a@example.com', email_verified: true, groups: ['x', 'y,z'] })
    expect(findTold(await ask[kind](alice, 'env'))).toEqual({
      MCP_USER: `${issuer.issuer}|alice`,
      MCP_TEAM: 'blue%2C Zo%C3%AB',
      MCP_EMAIL: 'a@example.com',
      MCP_GROUPS: 'x,y%2Cz',
    })
    expect(JSON.parse(await ask[kind](alice, 'env'))).toMatchObject({ SHARED: 'yes', PATH: process.env.PATH })
    expect(await ask[kind](alice, 'argv')).toBe('[]')
    // Nothing of another caller is left where a claim is absent, unknown or not verified.
    expect(findTold(await ask[kind](await mint('bob', { email: 'b@example.com' }), 'env'))).toEqual({
      MCP_USER: `${issuer.issuer}|bob`,
    })
  })

  it('serves no other caller, nor the same one when something else is true of them', async () => {
    await start()
    const tokens = [
      await mint('alice', { team: 'blue' }),
      await mint('alice', { team: 'red' }),
      await mint('alice'),
      await mint('bob', { team: 'blue' }),
    ]
    const pids = await Promise.all([...tokens, ...tokens].map((token) => ask[kind](token, 'pid')))
    const told = await Promise.all([...tokens, ...tokens].map(async (token) => findTold(await ask[kind](token, 'env')).MCP_TEAM))
    expect(told).toEqual(['blue', 'red', undefined, 'blue', 'blue', 'red', undefined, 'blue'])
    if (kind === 'modern') expect(pids.slice(0, 4)).toEqual(pids.slice(4))
    expect(new Set(pids.slice(0, 4)).size).toBe(4)
  })

  it('serves callers whose tokens name no user apart from others only by what is said of them', async () => {
    await start()
    const [blue, red] = [await mint(undefined, { team: 'blue' }), await mint(undefined, { team: 'red' })]
    for (const [token, team] of [
      [blue, 'blue'],
      [red, 'red'],
      [blue, 'blue'],
    ] as const)
      expect(findTold(await ask[kind](token, 'env'))).toEqual({ MCP_TEAM: team })
  })

  it.each<[string, unknown]>([
    ['the end of a line', 'blue\nLD_PRELOAD=/tmp/evil.so'],
    ['U+0000', 'blue\0LD_PRELOAD=/tmp/evil.so'],
    ['an escape sequence', '\u001b]0;title\u0007'],
    ['a control character of the second block', 'a\u009bb'],
    ['a line separator in a list', ['a', 'b\u2028c']],
    ['a function of a shell', '() { :;}; touch /tmp/evil'],
    ['an object', { LD_PRELOAD: '/tmp/evil.so' }],
  ])('finds nothing of a claim with %s', async (_, team) => {
    await start()
    const environment = JSON.parse(await ask[kind](await mint('alice', { team }), 'env'))
    expect(environment.LD_PRELOAD).toBeUndefined()
    expect(findTold(JSON.stringify(environment))).toEqual({ MCP_USER: `${issuer.issuer}|alice` })
  })
})

describe('an MCP session', () => {
  it('goes on with a new token of which the same is true', async () => {
    await start()
    const session = await openSession(proxy.origin, { user: await mint('alice', { team: 'blue', jti: '1' }) })
    const pid = await session.call('pid')
    const user = await mint('alice', { team: 'blue', jti: '2' })
    expect(textOf(await readAnswer(session.post(createToolCall('pid'), { user })))).toBe(pid)
  })

  it('is unknown to a token of which something else is true, in every way to use it', async () => {
    await start()
    const session = await openSession(proxy.origin, { user: await mint('alice', { team: 'blue' }) })
    const pid = await session.call('pid')
    const user = await mint('alice', { team: 'red' })
    const attempts = [
      session.post(createToolCall('pid'), { user }),
      session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, { user }),
      session.get({ user }),
      session.get({ user, headers: { 'last-event-id': '1' } }),
      sendMcp(`${proxy.origin}/mcp`, { method: 'DELETE', user, session: session.id }),
    ]
    for (const attempt of attempts) expect((await attempt).status).toBe(404)
    expect(await session.call('pid')).toBe(pid)
  })

  it('of HTTP+SSE takes messages of its caller alone', async () => {
    await start()
    const [blue, red] = [await mint('alice', { team: 'blue' }), await mint('alice', { team: 'red' })]
    const session = await openSse(blue)
    expect((await session.post(createToolCall('env'), red)).status).toBe(404)
    expect((await session.post(createToolCall('env'))).status).toBe(202)
    expect(findTold(textOf(JSON.parse(await session.next()))).MCP_TEAM).toBe('blue')
    await session.close()
  })

  it('of a real client has a process that knows its user', async () => {
    await start()
    const token = await mint('alice', { team: 'blue' })
    const requestInit = { headers: { authorization: `Bearer ${token}` } }
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${proxy.origin}/mcp`), { requestInit }))
    const { content } = (await client.callTool({ name: 'env', arguments: {} })) as { content: { text: string }[] }
    expect(findTold(content[0]?.text ?? '{}')).toEqual({ MCP_USER: `${issuer.issuer}|alice`, MCP_TEAM: 'blue' })
    await client.close()
  })
})

describe('a call that waits for input', () => {
  it('does not go on in a process that says something else of its caller than is true now', async () => {
    await start()
    const [blue, red] = [await mint('alice', { team: 'blue' }), await mint('alice', { team: 'red' })]
    const question = {
      method: 'elicitation/create',
      params: { message: 'Name?', requestedSchema: { type: 'object', properties: {} } },
    }
    const params = { name: 'ask', arguments: question }
    const capabilities = { elicitation: {} }
    const { result } = await readAnswer(sendModern(proxy.origin, 'tools/call', params, { user: blue, capabilities }))
    expect(result.resultType).toBe('input_required')
    const inputResponses = Object.fromEntries(Object.keys(result.inputRequests).map((key) => [key, { action: 'decline' }]))
    const retry = { ...params, requestState: result.requestState, inputResponses }
    const refused = await readAnswer(sendModern(proxy.origin, 'tools/call', retry, { user: red, capabilities }))
    expect(refused.error).toBeDefined()
    const answered = await readAnswer(sendModern(proxy.origin, 'tools/call', retry, { user: blue, capabilities }))
    expect(answered.error).toBeUndefined()
  })
})

describe('one user', () => {
  it('gets no more processes by tokens of which different things are true', async () => {
    await start({ max_processes: 8 })
    for (let index = 0; index < 6; index++) {
      const session = await openSession(proxy.origin, { user: await mint('alice', { team: `team ${index}` }) })
      await session.call('pid')
    }
    expect(countChildren()).toBeLessThanOrEqual(2)
    expect(findTold(await ask.modern(await mint('bob'), 'env')).MCP_USER).toBe(`${issuer.issuer}|bob`)
  })
})

/** MCP server processes of this one. */
function countChildren(): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('scripted-server')).length
}

describe('a reload', () => {
  it('that says something else in the environment begins with new processes', async () => {
    await start()
    const user = await mint('alice', { team: 'blue' })
    const session = await openSession(proxy.origin, { user })
    expect(Object.keys(findTold(await session.call('env')))).toEqual(['MCP_USER', 'MCP_TEAM'])
    const report = await proxy.reloadWith({ servers: [server({}, { env: { MCP_TEAM: { claim: 'team' } } })] })
    expect(report.outcome).toBe('reloaded')
    expect((await session.post(createToolCall('env'))).status).toBe(404)
    expect(findTold(await ask.legacy(user, 'env'))).toEqual({ MCP_TEAM: 'blue' })
    expect(findTold(await ask.modern(user, 'env'))).toEqual({ MCP_TEAM: 'blue' })
  })
})
