import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { gateVerifier } from '../../test/support/gate.ts'
import { sendMcp, sendModern } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import type { Decision, PolicyEngine } from '../core/decision.ts'
import { ProxyError } from '../core/errors.ts'
import { createHeldMemory } from '../core/held-memory.ts'
import { createOpenRequests } from '../core/open-requests.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import type { Reply } from '../core/reply.ts'
import type { Route } from '../core/route.ts'
import type { Edge } from './edge.ts'
import type { Endpoint } from './endpoints.ts'

let gate: StepGate
let leave: AbortController
afterEach(async () => {
  leave.abort()
  await gate.close()
})

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text: 'hi' } } }
const denial: Decision = { effect: 'deny', code: 'policy_denied', ground: 'rule', reason: 'test' } as unknown as Decision
const stream = { 'content-type': 'text/event-stream' }

/** A gate whose route can be replaced as a reload would, and what is open in it. */
async function openReloadable(answer: (reply: Reply) => void, first: Partial<Route> = {}, of: Partial<Edge> = {}) {
  leave = new AbortController()
  const openRequests = createOpenRequests()
  const clock = createFakeClock()
  let now: Edge | undefined
  const current = (): Edge => now ?? gate.edge
  gate = await openStepGate(first, { openRequests, clock, current, ...of }, (_call, reply) => answer(reply))
  return {
    openRequests,
    clock,
    /** @param changes - undefined: the server is gone */
    async replace(changes: Partial<Route> | undefined, of: Partial<Edge> = {}) {
      const changed = [...gate.edge.endpoints].map(([path, endpoint]): [string, Endpoint] => [
        path,
        endpoint.kind === 'guarded'
          ? {
              kind: 'guarded',
              route: { ...endpoint.route, ...changes },
            }
          : endpoint,
      ])
      now = { ...gate.edge, ...of, endpoints: new Map(changes === undefined ? [] : changed) }
      await openRequests.decideAnew()
    },
  }
}

const openStream = (reply: Reply): void => {
  reply.start(200, stream)
  reply.write(Buffer.from('data: 1\n\n'))
}
const get = (path: string, headers: Record<string, string> = {}) =>
  sendMcp(gate.origin + path, { method: 'GET', headers, signal: leave.signal })
const post = () => sendMcp(`${gate.origin}/mcp`, { body: call, signal: leave.signal })
const resource = {
  identifier: 'http://127.0.0.1/mcp',
  metadataUrl: 'http://127.0.0.1/.well-known/oauth-protected-resource/mcp',
  metadataPath: '/.well-known/oauth-protected-resource/mcp',
  authorizationServers: [],
  scopesSupported: [],
  name: 'test',
}
const policy = (changes: Partial<PolicyEngine>): PolicyEngine => ({
  decide: () => ({ effect: 'permit' }),
  createListFilter: () => undefined,
  ...changes,
})
const refusing: TokenVerifier = {
  verify: () => {
    throw new ProxyError('token_issuer_unknown')
  },
}

describe('an open event stream', () => {
  it.each<[string, Partial<Route>]>([
    ['its policy does not permit it any more', { policy: policy({ decide: () => denial }) }],
    ['its token is not accepted any more', { verifier: refusing }],
    ['clients of its revision are not accepted any more', { legacyClients: 'reject' }],
    ['another MCP server is behind its path', { upstream: { send: () => undefined, close: async () => undefined } }],
    ['another server has its path', { server: 'another' }],
  ])('ends cleanly when %s, and the log says why', async (_when, changes) => {
    const { replace, openRequests } = await openReloadable((reply) => {
      reply.start(200, stream)
      reply.write(Buffer.from('event: endpoint\ndata: /inside\n\n'))
    })
    const response = await get('/sse')
    await replace(changes)
    expect(await response.text()).toContain('data: /messages')
    await vi.waitUntil(() => gate.records.length > 0)
    expect(gate.records[0]?.cause).toBeDefined()
    expect(openRequests.size).toBe(0)
  })

  it.each<[string, Partial<Edge>]>([
    ['its origin', { origins: { allowed: new Set(), allowLoopback: false } }],
    ['its host', { hosts: new Set(['other']) }],
  ])('ends when %s is not accepted any more', async (_what, edge) => {
    const { replace } = await openReloadable(openStream)
    const response = await get('/mcp', { origin: gate.origin })
    await replace({}, edge)
    expect(await response.text()).toBe('data: 1\n\n')
  })

  it('ends when tokens are not accepted any more where it has its own', async () => {
    const { replace } = await openReloadable(openStream, { resource: { ...resource, bearerMethods: ['query'] } })
    const response = await fetch(`${gate.origin}/mcp?access_token=alice`, { headers: { accept: 'text/event-stream' } })
    await replace({ resource: { ...resource, bearerMethods: ['header'] } })
    expect(await response.text()).toBe('data: 1\n\n')
  })

  const hiding = policy({ createListFilter: () => ({ shows: (_kind, name) => name !== 'hidden' }) })
  const list = 'data: {"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"shown"},{"name":"hidden"}]}}\n\n'

  it('that passed unread is filtered from now on when a policy needs it', async () => {
    let held: Reply | undefined
    const { replace } = await openReloadable((reply) => {
      held = reply
      openStream(reply)
      reply.write(Buffer.from(list))
    })
    const response = await get('/mcp')
    await replace({ policy: hiding })
    held?.write(Buffer.from(list))
    held?.end()
    const [, before, after] = (await response.text()).split('\n\n')
    expect(before).toContain('hidden')
    expect(after).toContain('shown')
    expect(after).not.toContain('hidden')
  })

  it.each([
    ['in the middle of an event', {}, 'data: {"half'],
    ['encoded', { 'content-encoding': 'gzip' }, 'bytes\n\n'],
  ])('that passed unread ends when a policy needs it filtered, and it is %s', async (_what, headers, text) => {
    const { replace, openRequests } = await openReloadable((reply) => {
      reply.start(200, { ...stream, ...headers })
      reply.write(Buffer.from(text))
    })
    const response = await get('/mcp')
    await replace({ policy: hiding })
    await response.text().catch(() => undefined)
    await vi.waitUntil(() => openRequests.size === 0)
  })

  it('ends when its server is removed', async () => {
    const { replace } = await openReloadable(openStream)
    const response = await get('/mcp')
    await replace(undefined)
    expect(await response.text()).toBe('data: 1\n\n')
  })

  it('goes on when it is still permitted, also by another verifier', async () => {
    const { replace, openRequests } = await openReloadable(openStream)
    const response = await get('/mcp')
    await replace({ policy: policy({}), verifier: { verify: (token) => gateVerifier.verify(token) } })
    expect(openRequests.size).toBe(1)
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).toBe('data: 1\n\n')
  })

  it('goes on when the verifier that accepted its token cannot reach the issuer now', async () => {
    let isDown = false
    const verify: TokenVerifier['verify'] = (token) => (isDown ? new Promise(() => undefined) : gateVerifier.verify(token))
    const { replace, openRequests, clock } = await openReloadable(openStream, { verifier: { verify } })
    await get('/mcp')
    isDown = true
    const timers = clock.pending
    const decided = replace({})
    await vi.waitUntil(() => clock.pending > timers)
    clock.advance(4000)
    await decided
    expect(openRequests.size).toBe(1)
  })

  it('ends when another verifier cannot find out whether it accepts the token, within four seconds', async () => {
    const { replace, openRequests, clock } = await openReloadable(openStream)
    const response = await get('/mcp')
    const timers = clock.pending
    const decided = replace({ verifier: { verify: () => new Promise(() => undefined) } })
    await vi.waitUntil(() => clock.pending > timers)
    clock.advance(4000)
    await decided
    expect(await response.text()).toBe('data: 1\n\n')
    await vi.waitUntil(() => openRequests.size === 0)
  })

  it('that was opened while the configuration changed is decided anew when it has begun', async () => {
    let held: Reply | undefined
    const { replace } = await openReloadable((reply) => {
      held = reply
    })
    const response = get('/mcp')
    await vi.waitUntil(() => held !== undefined)
    await replace({ policy: policy({ decide: () => denial }) })
    expect((await response).status).toBe(403)
  })
})

describe('a subscription', () => {
  const acknowledge = (notifications: object) =>
    `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } })}\n\n`
  const hiding = (hidden: string) => policy({ createListFilter: () => ({ shows: (_kind, name) => name !== hidden }) })
  const open = async (notifications: object, first: Partial<Route>) => {
    const opened = await openReloadable((reply) => {
      reply.start(200, stream)
      for (const piece of acknowledge(notifications).match(/.{1,30}/gs) ?? []) reply.write(Buffer.from(piece))
    }, first)
    const response = await sendModern(gate.origin, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
    return { ...opened, response }
  }

  it('tells that lists have changed which it acknowledged, where a policy that hides other items comes into force', async () => {
    const { replace, response, openRequests } = await open({ toolsListChanged: true }, { policy: hiding('one') })
    await replace({ policy: hiding('two') })
    openRequests.endLasting(new ProxyError('shutting_down'))
    const told = (await response.text()).match(/"method":"[^"]+list_changed","params":.*/g)
    expect(told).toEqual([expect.stringMatching(/tools\/list_changed.*"io.modelcontextprotocol\/subscriptionId":/)])
  })

  it.each<[string, object, Partial<Route>, Partial<Route>]>([
    ['it acknowledged none', {}, { policy: hiding('one') }, { policy: hiding('two') }],
    ['the policy is the same', { toolsListChanged: true }, { policy: hiding('one') }, {}],
    ['nothing is hidden', { toolsListChanged: true }, {}, { policy: policy({}) }],
  ])('tells nothing where %s', async (_what, notifications, first, next) => {
    const { replace, response, openRequests } = await open(notifications, first)
    await replace(next)
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).not.toContain('list_changed')
  })
})

describe('a stream of an MCP session', () => {
  const hiding = (hidden: string) => policy({ createListFilter: () => ({ shows: (_kind, name) => name !== hidden }) })
  const answer = (capabilities: object) =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25', capabilities } })
  const changing = { tools: { listChanged: true }, prompts: {}, resources: { listChanged: true } }
  const listChanged = (list: string) =>
    `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/${list}/list_changed"}\n\n`

  /** A server that answers `initialize` with JSON, and opens streams for GET. */
  const openSession = async (capabilities: object, first: Partial<Route>, beginning = '') => {
    const opened = await openReloadable((reply) => {
      if (gate.calls.at(-1)?.method === 'GET') {
        reply.start(200, stream)
        if (beginning !== '') reply.write(Buffer.from(beginning))
        return
      }
      reply.start(200, { 'content-type': 'application/json', 'mcp-session-id': 'inside' })
      reply.write(Buffer.from(answer(capabilities)))
      reply.end()
    }, first)
    const response = await sendMcp(`${gate.origin}/mcp`, { body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} } })
    const headers = { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' }
    return { ...opened, open: () => get('/mcp', headers) }
  }

  it('tells which lists have changed of those that the server declared, when a policy that hides other items comes into force', async () => {
    const { replace, open, openRequests } = await openSession(changing, { policy: hiding('one') }, ': begins\n\n')
    const response = await open()
    await replace({ policy: hiding('two') })
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).toBe(`: begins\n\n${listChanged('tools')}${listChanged('resources')}`)
  })

  it('tells it, too, when the first policy that hides items comes into force, and when the last one goes', async () => {
    const { replace, open, openRequests } = await openSession({ prompts: { listChanged: true } }, {})
    const response = await open()
    await replace({ policy: hiding('two') })
    await replace({ policy: policy({}) })
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).toBe(listChanged('prompts').repeat(2))
  })

  it.each<[string, object, Partial<Route>, Partial<Route>]>([
    ['the server declared none', { tools: {} }, { policy: hiding('one') }, { policy: hiding('two') }],
    ['the policy is the same', changing, { policy: hiding('one') }, {}],
    ['nothing is hidden', changing, {}, { policy: policy({}) }],
  ])('tells nothing where %s', async (_what, capabilities, first, next) => {
    const { replace, open, openRequests } = await openSession(capabilities, first)
    const response = await open()
    await replace(next)
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).toBe('')
  })

  it('tells nothing without a session', async () => {
    const { replace, openRequests } = await openSession(changing, { policy: hiding('one') })
    const response = await get('/mcp')
    await replace({ policy: hiding('two') })
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect(await response.text()).toBe('')
  })

  it.each([
    ['what it declared', changing, `${listChanged('tools')}${listChanged('resources')}`],
    ['nothing where it declared none', {}, ''],
  ])('tells %s on a stream of HTTP+SSE, which has the answer to initialize on itself', async (_what, capabilities, told) => {
    const beginning = `event: endpoint\ndata: /inside\n\nevent: message\ndata: ${answer(capabilities)}\n\n`
    const { replace, openRequests } = await openReloadable(
      (reply) => {
        reply.start(200, stream)
        reply.write(Buffer.from(beginning))
      },
      { policy: hiding('one') },
    )
    const response = await get('/sse')
    await replace({ policy: hiding('two') })
    openRequests.endLasting(new ProxyError('shutting_down'))
    expect((await response.text()).split(`${answer(capabilities)}\n\n`)[1]).toBe(told)
  })
})

describe('a request whose body comes slowly', () => {
  it('is decided by what is in force when it is complete', async () => {
    const verify = vi.fn(gateVerifier.verify)
    const { replace } = await openReloadable(openStream, { verifier: { verify } })
    const body = new TransformStream<Uint8Array, Uint8Array>()
    const writer = body.writable.getWriter()
    const answered = fetch(`${gate.origin}/mcp`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer alice',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: body.readable,
      duplex: 'half',
    } as RequestInit)
    const text = JSON.stringify(call)
    await writer.write(Buffer.from(text.slice(0, 10)))
    await vi.waitUntil(() => verify.mock.calls.length > 0)
    await replace({ policy: policy({ decide: () => denial }) })
    await writer.write(Buffer.from(text.slice(10)))
    await writer.close()
    expect((await answered).status).toBe(403)
    expect(gate.calls).toEqual([])
  })
})

describe('a request that waits for its credential', () => {
  it.each<[string, Partial<Route>, number]>([
    ['policy', { policy: policy({ decide: () => denial }) }, 403],
    ['tokens', { verifier: refusing }, 401],
  ])('is decided by what is in force when it has it: other %s', async (_what, changes, status) => {
    const waiting = Promise.withResolvers<string>()
    const find = vi.fn(() => waiting.promise)
    const { replace } = await openReloadable(openStream, { credential: { kind: 'identity_provider', find } })
    const answered = post()
    await vi.waitUntil(() => find.mock.calls.length > 0)
    await replace(changes)
    waiting.resolve('token-of-the-provider')
    expect((await answered).status).toBe(status)
    expect(gate.calls).toEqual([])
  })

  it('goes to the MCP server with each header once, although it was decided twice', async () => {
    const waiting = Promise.withResolvers<string>()
    const find = vi.fn(() => waiting.promise)
    const { replace } = await openReloadable(
      (reply) => {
        reply.start(202, { 'mcp-session-id': 'inside' })
        reply.end()
      },
      { credential: { kind: 'identity_provider', find } },
    )
    const send = (headers: Record<string, string>) => sendMcp(`${gate.origin}/mcp`, { body: call, headers })
    waiting.resolve('token-of-the-provider')
    const session = (await send({})).headers.get('mcp-session-id') ?? ''
    const again = Promise.withResolvers<string>()
    find.mockImplementation(() => again.promise)
    const answered = send({ 'mcp-session-id': session })
    await vi.waitUntil(() => find.mock.calls.length === 2)
    await replace({})
    again.resolve('token-of-the-provider')
    expect((await answered).status).toBe(202)
    const names = gate.calls.at(-1)?.headers.filter((_, index) => index % 2 === 0) ?? []
    expect(names).toContain('mcp-session-id')
    expect(names).toEqual([...new Set(names)])
  })

  it('goes to the MCP server where nothing has changed for it', async () => {
    const waiting = Promise.withResolvers<string>()
    const find = vi.fn(() => waiting.promise)
    const { replace } = await openReloadable((reply) => reply.start(202, {}), { credential: { kind: 'identity_provider', find } })
    void post().catch(() => undefined)
    await vi.waitUntil(() => find.mock.calls.length > 0)
    await replace({})
    waiting.resolve('token-of-the-provider')
    await vi.waitUntil(() => gate.calls.length === 1)
  })
})

describe('a token that cannot be verified again for the moment', () => {
  it.each<[string, { isRevoked: boolean; isKey: boolean }, number]>([
    ['is refused when operators have revoked it', { isRevoked: true, isKey: false }, 401],
    ['is refused when it is an access key, which the store may have as revoked', { isRevoked: false, isKey: true }, 503],
    ['is taken for what it was otherwise', { isRevoked: false, isKey: false }, 200],
  ])('%s', async (_what, { isRevoked, isKey }, status) => {
    const waiting = Promise.withResolvers<string>()
    const find = vi.fn(() => waiting.promise)
    const accessKey = isKey ? { accessKey: { name: 'nightly', id: 'a' } } : {}
    const verifyOnce = vi.fn((...token: Parameters<TokenVerifier['verify']>) => ({
      ...(gateVerifier.verify(...token) as Principal),
      ...accessKey,
    }))
    const recheck = (): void => {
      if (isRevoked) throw new ProxyError('token_invalid', { reason: 'revoked' })
    }
    const verifier: TokenVerifier = { verify: (...token) => verifyOnce(...token), recheck }
    const { replace } = await openReloadable(openStream, { verifier, credential: { kind: 'identity_provider', find } })
    const answered = post()
    await vi.waitUntil(() => find.mock.calls.length > 0)
    verifyOnce.mockImplementation(() => {
      throw new ProxyError('issuer_unavailable', { reason: 'keys_unavailable' })
    })
    await replace({})
    waiting.resolve('token-of-the-provider')
    expect((await answered).status).toBe(status)
  })
})

describe('a call that was permitted', () => {
  it('has its answer although it would not be permitted any more', async () => {
    let held: Reply | undefined
    const { replace, openRequests, clock } = await openReloadable((reply) => {
      held = reply
    })
    const answered = post()
    await vi.waitUntil(() => held !== undefined)
    clock.advance(2000)
    expect([...openRequests].map(({ operations }) => operations[0]?.target)).toEqual(['echo'])
    await replace({ policy: policy({ decide: () => denial }) })
    held?.start(200, { 'content-type': 'application/json', 'content-length': '2' })
    held?.write(Buffer.from('{}'))
    held?.end()
    expect(await (await answered).text()).toBe('{}')
  })

  it('is cut when its answer is a stream', async () => {
    const { replace, clock, openRequests } = await openReloadable(openStream)
    const response = await post()
    clock.advance(2000)
    expect(openRequests.size).toBe(1)
    await replace({ policy: policy({ decide: () => denial }) })
    await expect(response.text()).rejects.toThrow()
  })

  it('is cut when its answer turns out to be a stream after it was no longer permitted', async () => {
    let held: Reply | undefined
    const { replace, clock } = await openReloadable((reply) => {
      held = reply
    })
    const answered = post()
    await vi.waitUntil(() => held !== undefined)
    clock.advance(2000)
    await replace({ policy: policy({ decide: () => denial }) })
    held?.start(200, stream)
    held?.write(Buffer.from('data: 1\n\n'))
    await expect(answered.then((response) => response.text())).rejects.toThrow()
  })

  it('finishes its stream when its server is removed', async () => {
    let held: Reply | undefined
    const { replace, clock } = await openReloadable((reply) => {
      held = reply
      openStream(reply)
    })
    const response = await post()
    clock.advance(2000)
    await replace(undefined)
    held?.end()
    expect(await response.text()).toBe('data: 1\n\n')
  })

  it('is decided anew by its arguments', async () => {
    const { replace, clock } = await openReloadable(openStream)
    const response = await post()
    clock.advance(2000)
    const decide: PolicyEngine['decide'] = (_principal, { operations: [operation], facts }) =>
      operation && facts.readArguments(operation) === '{"text":"hi"}' ? denial : { effect: 'permit' }
    await replace({ policy: policy({ decide }) })
    await expect(response.text()).rejects.toThrow()
  })

  it('is decided anew by its arguments where they are long, too, as far as there is memory for them while its stream is open', async () => {
    const decideApart: PolicyEngine['decideApart'] = async (_principal, { operations: [operation], facts }) =>
      operation && facts.readArguments(operation)?.startsWith('{"text":"xx') ? { effect: 'permit' } : denial
    const reading = (): PolicyEngine => policy({ decide: () => denial, decideApart })
    // One user has a quarter of it, and half of that for what waits.
    const heldMemory = createHeldMemory(1_000_000)
    const { replace, clock, openRequests } = await openReloadable(openStream, { policy: reading() }, { heldMemory })
    const body = { ...call, params: { name: 'echo', arguments: { text: 'x'.repeat(80_000) } } }
    const open = (signal: AbortSignal) => sendMcp(`${gate.origin}/mcp`, { body, signal })
    const leaveFirst = new AbortController()
    await open(leaveFirst.signal)
    const second = await open(leave.signal)
    clock.advance(2000)
    await replace({ policy: reading() })
    await expect(second.text()).rejects.toThrow()
    expect(openRequests.size).toBe(1)
    leaveFirst.abort()
    await vi.waitUntil(() => openRequests.size === 0)
    await open(leave.signal)
    clock.advance(2000)
    await replace({ policy: reading() })
    expect(openRequests.size).toBe(1)
  })
})

it('a call whose body was changed on its way is decided anew by the arguments with which it was made', async () => {
  const read: (string | undefined)[] = []
  const policy: PolicyEngine = {
    createListFilter: () => undefined,
    decide: (_principal, { operations: [operation], facts }) => {
      if (operation !== undefined) read.push(facts.readArguments(operation))
      return { effect: 'permit' }
    },
  }
  const credential = { kind: 'own_account', find: async () => 'token', noteRefusal: () => {}, formatLink: () => '' } as const
  const { clock, replace } = await openReloadable(openStream, { policy, credential })
  const inputResponses = { omap_account: { action: 'accept' } }
  await sendModern(gate.origin, 'tools/call', { name: 'a', inputResponses, arguments: { x: 1 } }, { signal: leave.signal })
  clock.advance(2000)
  await replace({})
  expect(read).toEqual(['{"x":1}', '{"x":1}'])
})
