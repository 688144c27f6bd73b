import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import {
  callModern,
  createRequest,
  onlyJson,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendMcp,
  sendModern,
  textOf,
} from './support/mcp-requests.ts'

let gate: StdioGate
const open = async (era: string, plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, env: { ERA: era }, ...plan })
  return gate.origin
}
afterEach(() => gate.close())
const pidOf = async (origin: string, user = 'alice') => textOf(await readAnswer(callModern(origin, 'pid', {}, { user })))

describe.each(['modern', 'both'])('a client of 2026-07-28 with a server that speaks it (%s)', (era) => {
  it('is answered without a session, by the same child each time', async () => {
    const origin = await open(era)
    const response = await sendModern(origin, 'server/discover')
    expect(response.status).toBe(200)
    expect(response.headers.get('mcp-session-id')).toBeNull()
    expect((await readAnswer(response)).result.supportedVersions).toEqual(['2026-07-28'])
    expect(await pidOf(origin)).toBe(await pidOf(origin))
  })

  it('gets its own ids, progress tokens and notifications back', async () => {
    const origin = await open(era)
    const calls = Array.from({ length: 10 }, () =>
      callModern(origin, 'progress', { count: 3, pause: 5 }, { id: 'same', meta: { progressToken: 'same' } }),
    )
    for (const response of calls) {
      const messages = await readMessages(await response)
      expect(messages.map(({ params }) => params?.progress)).toEqual([1, 2, 3, undefined])
      expect(messages[0]!.params.progressToken).toBe('same')
      expect(messages.at(-1)!.id).toBe('same')
    }
  })

  it('is told of changes on the stream that it listens on', async () => {
    const origin = await open(era)
    const events = readEvents(
      await sendModern(origin, 'subscriptions/listen', { notifications: { toolsListChanged: true } }, { id: 'l' }),
    )
    const next = async () => JSON.parse((await events.next()).value!.data)
    expect(await next()).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'l' } },
    })
    await readAnswer(callModern(origin, 'changed'))
    expect(await next()).toMatchObject({
      method: 'notifications/tools/list_changed',
      params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'l' } },
    })
    await events.return(undefined)
    await gate.waitForStderr('cancelled')
  })

  it('has log messages on the request that asked for them and on no other', async () => {
    const origin = await open(era)
    const level = { 'io.modelcontextprotocol/logLevel': 'info' }
    const responses = ['a', 'b', 'c'].map((data) => callModern(origin, 'log', { count: 20, data }, { meta: level }))
    for (const [index, data] of ['a', 'b', 'c'].entries()) {
      const messages = await readMessages(await responses[index]!)
      expect(messages.slice(0, -1).map(({ params }) => params.data)).toEqual(Array.from({ length: 20 }, (_, i) => `${data} ${i}`))
    }
    expect(await readMessages(await callModern(origin, 'log', { count: 5 }))).toHaveLength(1)
  })

  it('cancels by going away', async () => {
    const origin = await open(era)
    const abort = new AbortController()
    // On a slow machine the answer has begun as an event stream by then.
    const answer = callModern(origin, 'hang', {}, { signal: abort.signal }).then((response) => response.text())
    await gate.waitForStderr('hanging')
    abort.abort()
    await expect(answer).rejects.toThrow()
    await gate.waitForStderr('cancelled')
  })

  it('has a child apart from other users’, unless children are shared', async () => {
    const origin = await open(era)
    expect(await pidOf(origin, 'alice')).not.toBe(await pidOf(origin, 'bob'))
    await gate.close()
    const shared = await open(era, { processPer: 'shared' })
    expect(await pidOf(shared, 'alice')).toBe(await pidOf(shared, 'bob'))
  })

  it.each(['notifications/cancelled', 'notifications/roots/list_changed', 'notifications/own'])(
    'is told that a notification is not delivered (%s)',
    async (method) => {
      const origin = await open(era)
      const body = { jsonrpc: '2.0', method, params: { requestId: 1 } }
      const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method }
      const response = await sendMcp(`${origin}/mcp`, { headers, body })
      expect(response.status).toBe(400)
      expect((await readAnswer(response)).error.data.error).toBe('message_invalid')
    },
  )

  it('gets 404 for a method that is not known, 400 for metadata that is missing, 405 for GET', async () => {
    const origin = await open(era)
    const unknown = await sendModern(origin, 'no/such', {}, onlyJson)
    expect([unknown.status, (await readAnswer(unknown)).error.code]).toEqual([404, -32601])
    const body = createRequest('tools/list', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } })
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }
    const response = await sendMcp(`${origin}/mcp`, { headers, body })
    expect(response.status).toBe(400)
    expect((await readAnswer(response)).error.code).toBe(-32602)
    expect((await sendMcp(`${origin}/mcp`, { method: 'GET', headers })).status).toBe(405)
  })
})

describe('a client of 2026-07-28 with a server that takes longer than five seconds to start', () => {
  it.each(['legacy', 'modern'])('is served by the process that was started first (%s)', async (era) => {
    const folder = mkdtempSync(join(tmpdir(), 'stdio-'))
    const hold = join(folder, 'hold')
    writeFileSync(hold, '')
    const origin = await open(era, { env: { ERA: era, HOLD_READING: hold } })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const call = readAnswer(callModern(origin, 'received', {}, { capabilities: { elicitation: {} }, ...onlyJson }))
      await gate.waitForStderr('holds')
      vi.advanceTimersByTime(5000)
      // The five seconds are over for the proxy when it has sent the second question.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      rmSync(hold)
      const lines = Buffer.from(textOf(await call), 'base64')
        .toString()
        .split('\n')
      expect(lines.map((line) => JSON.parse(line).method).slice(0, 2)).toEqual(['server/discover', 'initialize'])
      expect(lines.filter((line) => line.includes('"initialize"'))).toHaveLength(1)
      expect(gate.stderr.filter((line) => line.startsWith('holds'))).toHaveLength(1)
    } finally {
      vi.useRealTimers()
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a client of an older revision with a server that speaks 2026-07-28 alone', () => {
  const unsupported = { code: -32022, data: { supported: ['2026-07-28'], requested: '2025-11-25' } }

  it.each(['session', 'shared'] as const)(
    'is told what the server speaks, and gets no session (a child per %s)',
    async (processPer) => {
      const origin = await open('modern', { processPer })
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'old', version: '1' } }
      for (const id of ['a', 7]) {
        const response = await sendMcp(`${origin}/mcp`, { body: createRequest('initialize', params, id), ...onlyJson })
        expect(response.status).toBe(400)
        expect(response.headers.get('mcp-session-id')).toBeNull()
        expect(await readAnswer(response)).toMatchObject({ id, error: unsupported })
      }
    },
  )

  it('is refused whatever else it tries, in a way that says so', async () => {
    const origin = await open('modern')
    await openSession(origin)
    const headers = { 'mcp-protocol-version': '2025-11-25' }
    for (const method of ['GET', 'DELETE']) {
      const response = await sendMcp(`${origin}/mcp`, { method, headers })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    }
    const response = await sendMcp(`${origin}/mcp`, { headers, body: createRequest('tools/list', {}, 'l') })
    expect(response.status).toBe(400)
    expect(await readAnswer(response)).toMatchObject({ id: 'l', error: unsupported })
    // A request that says nowhere which revision it is of lacks a header that is required (streamable-http, Protocol Version Header).
    const silent = await sendMcp(`${origin}/mcp`, { body: createRequest('tools/list', {}, 'l') })
    expect([silent.status, await readAnswer(silent)]).toMatchObject([
      400,
      { id: 'l', error: { code: -32020, message: expect.stringContaining('2026-07-28'), data: { supported: ['2026-07-28'] } } },
    ])
  })

  it('has none of its responses written to the server, which sends no requests', async () => {
    const origin = await open('modern')
    await openSession(origin)
    const response = { jsonrpc: '2.0', id: 1, result: { of: 'nobody' } }
    for (const headers of [{}, { 'mcp-protocol-version': '2025-11-25' }])
      expect((await sendMcp(`${origin}/mcp`, { headers, body: response })).status).toBe(400)
    const lines = Buffer.from(textOf(await readAnswer(callModern(origin, 'received'))), 'base64').toString()
    expect(lines).toContain('tools/call')
    expect(lines).not.toContain('nobody')
  })

  it('is told what an older server says where that refuses it', async () => {
    const origin = await open('legacy', { env: { ERA: 'legacy', REFUSE_INITIALIZE: '1' } })
    const session = await openSession(origin)
    expect([session.id, session.opened.error.code]).toEqual(['', -32000])
    expect((await sendMcp(`${origin}/mcp`, { method: 'GET' })).status).toBe(400)
  })
})

describe('a client of 2026-07-28 with a server of an older revision', () => {
  const asking = { capabilities: { elicitation: {} } }
  const question = {
    method: 'elicitation/create',
    params: { message: 'Name?', requestedSchema: { type: 'object', properties: {} } },
  }
  const inputRequired = async (response: Promise<Response>) => {
    const { result } = await readAnswer(response)
    expect(result.resultType).toBe('input_required')
    return result
  }
  const retry = (origin: string, state: string, inputResponses: object, name = 'ask', more: object = {}) =>
    sendModern(origin, 'tools/call', { name, arguments: question, requestState: state, inputResponses }, { ...asking, ...more })

  it('discovers what the server said when it was initialized', async () => {
    const { result } = await readAnswer(sendModern(await open('legacy'), 'server/discover'))
    expect(result).toMatchObject({
      resultType: 'complete',
      // Older clients are served there, too.
      supportedVersions: ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26'],
      capabilities: { tools: { listChanged: true } },
      instructions: 'Do as told.',
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'scripted' } },
    })
  })

  it('gets results in their modern form', async () => {
    const origin = await open('legacy')
    const tools = (await readAnswer(sendModern(origin, 'tools/list'))).result
    expect(tools).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
    const resources = (await readAnswer(sendModern(origin, 'resources/list'))).result
    expect(resources._meta).toMatchObject({ own: true, 'io.modelcontextprotocol/serverInfo': { name: 'scripted' } })
    expect((await readAnswer(sendModern(origin, 'resources/read', { uri: 'x:y' }))).error.code).toBe(-32602)
    const line = Buffer.from(
      textOf(await readAnswer(callModern(origin, 'line', { n: 1 }, { meta: { traceparent: '00-x' } }))),
      'base64',
    )
    expect(JSON.parse(line.toString()).params).toEqual({ name: 'line', arguments: { n: 1 }, _meta: { traceparent: '00-x' } })
  })

  it('is told of each of the six results that can be kept how long and for whom (server/utilities/caching)', async () => {
    const origin = await open('legacy')
    const methods = ['server/discover', 'tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']
    const results = [
      ...methods.map((method) => sendModern(origin, method)),
      sendModern(origin, 'resources/read', { uri: 'there:it is' }),
    ]
    for (const answer of results)
      expect((await readAnswer(answer)).result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
    expect((await readAnswer(callModern(origin, 'echo', { text: 'x' }))).result).not.toHaveProperty('ttlMs')
  })

  it('may keep all pages of a list for the same', async () => {
    const origin = await open('legacy', { env: { ERA: 'legacy', PAGES: '1' } })
    const first = (await readAnswer(sendModern(origin, 'resources/list'))).result
    const second = (await readAnswer(sendModern(origin, 'resources/list', { cursor: first.nextCursor }))).result
    expect([first.nextCursor, second.nextCursor]).toEqual(['second', undefined])
    for (const page of [first, second]) expect(page).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
  })

  it('is refused methods that 2026-07-28 does not have, and unknown revisions', async () => {
    const origin = await open('legacy')
    for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe'])
      expect((await sendModern(origin, method, { uri: 'x:y' }, onlyJson)).status).toBe(404)
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2031-01-01', 'io.modelcontextprotocol/clientCapabilities': {} }
    const headers = { 'mcp-protocol-version': '2031-01-01', 'mcp-method': 'tools/list' }
    const response = await sendMcp(`${origin}/mcp`, { headers, body: createRequest('tools/list', { _meta }), ...onlyJson })
    expect(response.status).toBe(400)
    expect((await readAnswer(response)).error).toMatchObject({
      code: -32022,
      data: { supported: ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26'], requested: '2031-01-01' },
    })
  })

  it('is told that input is required, and the call goes on where it waited', async () => {
    const origin = await open('legacy')
    const { inputRequests, requestState } = await inputRequired(callModern(origin, 'ask', question, asking))
    expect(inputRequests['1']).toEqual(question)
    const answer = await readAnswer(
      retry(origin, requestState, { 1: { action: 'accept', content: { name: 'Ada' } } }, 'ask', { id: 'again' }),
    )
    expect(answer).toMatchObject({ id: 'again', result: { resultType: 'complete' } })
    expect(textOf(answer)).toContain('Ada')
  })

  it('may be asked again in the same call, and again for what it left out', async () => {
    const origin = await open('legacy')
    const first = await inputRequired(callModern(origin, 'askTwice', question, asking))
    const same = await inputRequired(retry(origin, first.requestState, {}, 'askTwice'))
    expect(same.inputRequests).toEqual(first.inputRequests)
    const second = await inputRequired(retry(origin, same.requestState, { 1: { action: 'decline' } }, 'askTwice'))
    expect(Object.keys(second.inputRequests)).toEqual(['2'])
    expect(textOf(await readAnswer(retry(origin, second.requestState, { 2: { action: 'cancel' } }, 'askTwice')))).toBe(
      '[{"action":"decline"},{"action":"cancel"}]',
    )
  })

  it('may say what was not asked for, and the server does not hear of it', async () => {
    const origin = await open('legacy')
    const { requestState } = await inputRequired(callModern(origin, 'ask', question, asking))
    const inputs = JSON.parse('{"0":{"x":1},"2":{"x":1},"99":{"x":1},"constructor":{"x":1},"__proto__":{"x":1}}')
    const again = await inputRequired(retry(origin, requestState, inputs))
    expect(Object.keys(again.inputRequests)).toEqual(['1'])
    const answer = await readAnswer(retry(origin, again.requestState, { ...inputs, 1: { action: 'decline' } }))
    expect(textOf(answer)).toBe('{"action":"decline"}')
    expect(gate.stderr.filter((line) => line.startsWith('unasked'))).toEqual([])
  })

  it('cannot continue what it left for five minutes: the call is cancelled', async () => {
    const origin = await open('legacy')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { requestState } = await inputRequired(callModern(origin, 'ask', question, asking))
      vi.advanceTimersByTime(5 * 60_000 - 1)
      expect(gate.stderr.filter((line) => line.startsWith('cancelled'))).toEqual([])
      vi.advanceTimersByTime(1)
      await gate.waitForStderr('cancelled')
      const answer = await readAnswer(retry(origin, requestState, { 1: { action: 'accept' } }))
      expect(answer.error.code).toBe(-32602)
    } finally {
      vi.useRealTimers()
    }
  })

  it('cannot continue a request of another user, one that was continued already, or another request', async () => {
    const origin = await open('legacy')
    const { requestState } = await inputRequired(callModern(origin, 'ask', question, asking))
    const answers = { 1: { action: 'accept' } }
    expect((await readAnswer(retry(origin, requestState, answers, 'ask', { user: 'mallory' }))).error.code).toBe(-32602)
    expect((await readAnswer(retry(origin, requestState, answers, 'askTwice'))).error.code).toBe(-32602)
    expect((await readAnswer(retry(origin, requestState, answers))).result.resultType).toBe('complete')
    expect((await readAnswer(retry(origin, requestState, answers))).error.code).toBe(-32602)
  })

  it('is not asked for what it cannot do: the server is told so', async () => {
    const origin = await open('legacy')
    expect(textOf(await readAnswer(callModern(origin, 'ask', question)))).toContain('-32601')
    expect(textOf(await readAnswer(callModern(origin, 'ask', { method: 'roots/list', params: {} }, asking)))).toContain(
      'has not declared roots',
    )
    expect(textOf(await readAnswer(callModern(origin, 'capabilities', {}, asking)))).toBe('{"elicitation":{}}')
  })

  it('visits a URL and calls again where the server asks for that with its old error', async () => {
    const origin = await open('legacy')
    const able = { capabilities: { elicitation: { url: {} } } }
    const { inputRequests, requestState } = await inputRequired(callModern(origin, 'urlNeeded', {}, able))
    expect(inputRequests['1']).toEqual({
      method: 'elicitation/create',
      params: { mode: 'url', url: 'https://example.com/connect', message: 'Connect' },
    })
    const again = sendModern(
      origin,
      'tools/call',
      { name: 'urlNeeded', arguments: {}, requestState, inputResponses: { 1: { action: 'accept' } } },
      able,
    )
    expect((await readAnswer(again)).result.resultType).toBe('input_required')
    const unable = await callModern(origin, 'urlNeeded', {}, onlyJson)
    expect(unable.status).toBe(400)
    expect((await readAnswer(unable)).error).toMatchObject({
      code: -32021,
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    })
  })

  it('listens to changes that the server announces in the old way', async () => {
    const origin = await open('legacy')
    const notifications = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ['x:y'] }
    const events = readEvents(await sendModern(origin, 'subscriptions/listen', { notifications }, { id: 7 }))
    const next = async () => JSON.parse((await events.next()).value!.data)
    expect((await next()).params.notifications).toEqual({ toolsListChanged: true, resourceSubscriptions: ['x:y'] })
    await readAnswer(callModern(origin, 'changed', { method: 'notifications/resources/updated', params: { uri: 'other:y' } }))
    await readAnswer(callModern(origin, 'changed', { method: 'notifications/resources/updated', params: { uri: 'x:y' } }))
    expect(await next()).toMatchObject({ params: { uri: 'x:y', _meta: { 'io.modelcontextprotocol/subscriptionId': 7 } } })
    await events.return(undefined)
    await gate.waitForStderr('unsubscribed x:y')
  })

  it('hears log messages at the level that it asks for, with the request that asks', async () => {
    const origin = await open('legacy')
    const messages = await readMessages(
      await callModern(origin, 'log', { count: 2 }, { meta: { 'io.modelcontextprotocol/logLevel': 'debug' } }),
    )
    expect(messages).toHaveLength(3)
    expect(textOf(messages[2]!)).toBe('logged 2 at debug')
    expect(await readMessages(await callModern(origin, 'log', { count: 2 }))).toHaveLength(1)
  })
})
