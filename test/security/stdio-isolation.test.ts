// Attack family S: who shares a stdio server tries to reach what is somebody else's, and a server says things at the wrong moment.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import {
  callModern,
  createRequest,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendMcp,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'
import { isRunning, waitUntil } from '../support/processes.ts'

let gate: StdioGate
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, ...plan })
  return gate.origin
}
let folder: string | undefined
afterEach(async () => {
  await gate?.close()
  if (folder !== undefined) rmSync(folder, { recursive: true })
  folder = undefined
})

/** Has the server end when it is asked this for the first time. */
const dieOn = (method: string) => {
  folder = mkdtempSync(join(tmpdir(), 'stdio-'))
  const file = join(folder, 'once')
  writeFileSync(file, '')
  return { DIE_ON: `${method} ${file}` }
}
const cancellation = (requestId: unknown) => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })

describe('a request without an id, which many servers answer all the same (a child for all sessions)', () => {
  const requests: readonly (readonly [method: string, params: object])[] = [
    ['logging/setLevel', { level: 'debug' }],
    ['resources/unsubscribe', { uri: 'x:1' }],
    ['resources/subscribe', { uri: 'x:2' }],
    ['tasks/cancel', { taskId: 'task-1' }],
    ['tasks/anything', { taskId: 'task-1' }],
    ['initialize', { protocolVersion: '2025-03-26', capabilities: { sampling: {} } }],
    ['tools/call', { name: 'release', arguments: {} }],
  ]

  it.each(requests)('does not reach it: %s', async (method, params) => {
    const origin = await open({ processPer: 'shared' })
    const mine = await openSession(origin, { revision: '2025-03-26' })
    const other = await openSession(origin, { user: 'mallory', revision: '2025-03-26' })
    const message = { jsonrpc: '2.0', method, params }
    for (const body of [message, [createToolCall('echo', { text: 'x' }), message]]) {
      const refused = await other.post(body)
      expect(refused.status).toBe(400)
      expect(JSON.stringify(await refused.json())).toContain('message_invalid')
    }
    const received = Buffer.from(await mine.call('received'), 'base64')
      .toString()
      .split('\n')
    expect(received.map((line) => JSON.parse(line)).filter((one) => one.method === method && one.id === undefined)).toEqual([])
  })

  it('is a notification of its own where MCP has no such request', async () => {
    const session = await openSession(await open({ processPer: 'shared' }), { revision: '2025-03-26' })
    expect((await session.post({ jsonrpc: '2.0', method: 'vendor/changed', params: { own: true } })).status).toBe(202)
    expect(Buffer.from(await session.call('received'), 'base64').toString()).toContain('"vendor/changed"')
  })

  it('does not reach it by the cancellation of other protocols, which some libraries obey: its id is that of another request here', async () => {
    const origin = await open({ processPer: 'shared' })
    const session = await openSession(origin, { user: 'mallory', revision: '2025-03-26' })
    const message = { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 1 } }
    for (const body of [message, { ...message, id: 7 }]) expect((await session.post(body)).status).toBe(400)
    expect(Buffer.from(await session.call('received'), 'base64').toString()).not.toContain('cancelRequest')
  })
})

describe('a request of earlier revisions, by a client of 2026-07-28, which lacks it', () => {
  const requests: readonly (readonly [method: string, params: Record<string, unknown>])[] = [
    ['initialize', { protocolVersion: '2025-11-25', capabilities: { sampling: {} }, clientInfo: { name: 'x', version: '1' } }],
    ['logging/setLevel', { level: 'debug' }],
    ['resources/subscribe', { uri: 'x:1' }],
    ['resources/unsubscribe', { uri: 'x:1' }],
  ]

  it.each(requests)(
    'does not reach a child that all share: servers of both eras keep what it says for all of them: %s',
    async (method, params) => {
      const origin = await open({ processPer: 'shared', env: { ERA: 'both' } })
      await readAnswer(callModern(origin, 'echo', { text: 'x' }))
      const refused = await sendModern(origin, method, params, { user: 'mallory' })
      expect([refused.status, (await readAnswer(refused)).error.code]).toEqual([404, -32601])
      const received = Buffer.from(textOf(await readAnswer(callModern(origin, 'received'))), 'base64').toString()
      expect(received).not.toContain(`"method":"${method}"`)
    },
  )

  it.each(requests)('is for a child of its own to answer: %s', async (method, params) => {
    const origin = await open({ env: { ERA: 'both' } })
    const answer = await readAnswer(sendModern(origin, method, params))
    expect(answer.result).toBeTypeOf('object')
  })
})

describe.each(['session', 'shared'] as const)('ids of requests (a child per %s)', (processPer) => {
  it('may be one for all requests: each POST gets the answer to its own (some clients do so, though they must not)', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-06-18' })
    const waiting = [0, 1, 2].map(() => session.post(createToolCall('wait', {}, { progressToken: 'same' }, 'same')))
    await waitUntil(() => gate.stderr.filter((line) => line.startsWith('waiting')).length === 3, 'all three run')
    const progress = await readMessages(
      await session.post(createToolCall('progress', { count: 2, message: 'fourth' }, { progressToken: 'same' }, 'same')),
    )
    expect(progress.map(({ id, params, result }) => [id, params?.progressToken, result?.content[0].text])).toEqual([
      [undefined, 'same', undefined],
      [undefined, 'same', undefined],
      ['same', undefined, 'fourth'],
    ])
    expect(textOf(await readAnswer(session.post(createToolCall('release', {}, undefined, 'same'))))).toBe('done')
    for (const one of waiting) expect(await readAnswer(one)).toMatchObject({ id: 'same', result: expect.anything() })
  })

  it('that are used again are cancelled one by one, the newest first, and are free at once', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-06-18' })
    const first = session.post(createToolCall('wait', {}, undefined, 'same'))
    await waitUntil(() => gate.stderr.filter((line) => line.startsWith('waiting')).length === 1, 'the first runs')
    const second = session.post(createToolCall('hang', {}, undefined, 'same'))
    await gate.waitForStderr('hanging')
    await session.post(cancellation('same'))
    expect((await readAnswer(second)).error.data.error).toBe('client_gone')
    expect(textOf(await readAnswer(session.post(createToolCall('echo', { text: 'again' }, undefined, 'same'))))).toBe('again')
    await readAnswer(session.post(createToolCall('release', {}, undefined, 'same')))
    expect(textOf(await readAnswer(first))).toBe('released')
    expect(gate.stderr.filter((line) => line.startsWith('cancelled'))).toHaveLength(1)
  })

  it('cannot be told apart within a batch, which is refused', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-03-26' })
    const refused = await session.post([
      createToolCall('echo', { text: 'a' }, undefined, 1),
      createToolCall('pid', {}, undefined, 1),
    ])
    expect(refused.status).toBe(400)
    expect((await readAnswer(refused)).error.data.error).toBe('message_invalid')
  })

  it('of cancelled requests bring no client the answer to those', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-06-18' })
    const first = session.post(createToolCall('wait', {}, undefined, 'same'))
    await gate.waitForStderr('waiting')
    await session.post(cancellation('same'))
    await readAnswer(first)
    const second = await session.post(createToolCall('release', {}, undefined, 'same'))
    const texts = (await readMessages(second)).map(textOf)
    expect(texts.filter((text) => text === 'released')).toEqual([])
  })

  it('of other sessions cancel nothing, whichever user sends them', async () => {
    const origin = await open({ processPer })
    const mine = await openSession(origin, { revision: '2025-06-18' })
    const others = [await openSession(origin), await openSession(origin, { user: 'mallory' })]
    const waiting = mine.post(createToolCall('wait', {}, undefined, 'mine'))
    await gate.waitForStderr('waiting')
    for (const other of others) {
      for (const id of ['mine', ...Array.from({ length: 20 }, (_, i) => i)])
        expect((await other.post(cancellation(id))).status).toBe(202)
      // What was told before is read before.
      await other.call('echo', { text: 'x' })
    }
    await mine.call('release')
    expect(textOf(await readAnswer(waiting))).toBe('released')
  })

  it('of other sessions cancel nothing by a notification that is sent as a request: some servers do not look at its id', async () => {
    const origin = await open({ processPer })
    const mine = await openSession(origin, { revision: '2025-03-26' })
    const other = await openSession(origin, { user: 'mallory', revision: '2025-03-26' })
    const waiting = mine.post(createToolCall('wait', {}, undefined, 'mine'))
    await gate.waitForStderr('waiting')
    const guesses = Array.from({ length: 20 }, (_, requestId) => ({ ...cancellation(requestId), id: `guess ${requestId}` }))
    for (const message of [guesses[3], guesses]) {
      const refused = await other.post(message)
      expect(refused.status).toBe(400)
      expect(JSON.stringify(await refused.json())).toContain('message_invalid')
    }
    await other.call('echo', { text: 'x' })
    await mine.call('release')
    expect(textOf(await readAnswer(waiting))).toBe('released')
    expect(gate.stderr.filter((line) => line.startsWith('cancelled'))).toEqual([])
  })

  it('of a server’s own requests are not those of its clients', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-06-18' })
    const waiting = session.post(createToolCall('wait', {}, undefined, 3))
    await gate.waitForStderr('waiting')
    expect(await session.call('withdraw')).toBe('withdrawn')
    await session.call('release')
    expect(textOf(await readAnswer(waiting))).toBe('released')
  })

  it('that look alike are two when they are of two types', async () => {
    const session = await openSession(await open({ processPer }), { revision: '2025-06-18' })
    const waiting = session.post(createToolCall('wait', {}, undefined, '1'))
    await gate.waitForStderr('waiting')
    expect(await readAnswer(session.post(createToolCall('release', {}, undefined, 1)))).toMatchObject({ id: 1 })
    expect(await readAnswer(waiting)).toMatchObject({ id: '1' })
  })
})

describe('a request of the server', () => {
  it('is answered by the session that it was sent to and by no other', async () => {
    const origin = await open()
    const mine = await openSession(origin, { capabilities: { elicitation: {} } })
    const others = [await openSession(origin), await openSession(origin, { user: 'mallory' })]
    const events = readEvents(await mine.post(createToolCall('ask', { method: 'elicitation/create', params: { message: '?' } })))
    await events.next()
    const { id } = JSON.parse((await events.next()).value!.data)
    for (const other of others) {
      await other.post({ jsonrpc: '2.0', id, result: { action: 'accept', content: { name: 'Mallory' } } })
      await other.call('echo', { text: 'x' })
    }
    const posed = await sendMcp(`${origin}/mcp`, { user: 'mallory', session: mine.id, body: { jsonrpc: '2.0', id, result: {} } })
    expect(posed.status).toBe(404)
    await mine.post({ jsonrpc: '2.0', id, result: { action: 'accept', content: { name: 'Ada' } } })
    expect((await events.next()).value!.data).toContain('Ada')
  })

  it('reaches no client when it asks all of them', async () => {
    const origin = await open({ processPer: 'shared', env: { ASK_ON_LIST: '1' } })
    const session = await openSession(origin, { capabilities: { elicitation: {} } })
    const messages = await readMessages(await session.post(createRequest('tools/list')))
    expect(messages.map(({ method }) => method)).toEqual([undefined])
    expect(await gate.waitForStderr('list was answered')).toContain('-32601')
  })

  it('is refused during what cannot require input (2026-07-28)', async () => {
    const origin = await open({ env: { ASK_ON_LIST: '1' } })
    const asking = { capabilities: { elicitation: {} }, meta: { 'io.modelcontextprotocol/logLevel': 'info' } }
    const { result } = await readAnswer(sendModern(origin, 'tools/list', {}, asking))
    expect(result.resultType).toBe('complete')
    expect(await gate.waitForStderr('list was answered')).toContain('-32601')
  })
})

describe('a stream', () => {
  it('is taken up by its own session alone, not by others of the same user', async () => {
    const origin = await open()
    const mine = await openSession(origin)
    const events = readEvents(await mine.post(createToolCall('progress', { count: 2 }, { progressToken: 1 })))
    const { id } = (await events.next()).value!
    await events.return(undefined)
    const other = await openSession(origin)
    for (const guess of [id!, id!.replace(/_\d+$/, '_0'), `${'0'.repeat(12)}_1`, '', '__proto___1', `${id}\u00e9`])
      expect((await other.get({ headers: { 'last-event-id': guess } })).status, guess).toBe(400)
  })
})

describe('a legacy server that all share', () => {
  it('offers no tasks, which it cannot keep apart', async () => {
    const session = await openSession(await open({ processPer: 'shared' }))
    expect(session.opened.result.capabilities.tasks).toBeUndefined()
    for (const method of ['tasks/list', 'tasks/get', 'tasks/result', 'tasks/cancel'])
      expect((await readAnswer(session.post(createRequest(method, { taskId: 'of-somebody' })))).error.code).toBe(-32601)
  })

  it('withdraws nothing from clients of 2026-07-28 either', async () => {
    const origin = await open({ processPer: 'shared' })
    const waiting = callModern(origin, 'wait', {}, { user: 'bob' })
    await gate.waitForStderr('waiting')
    expect(textOf(await readAnswer(callModern(origin, 'withdraw')))).toBe('withdrawn')
    await readAnswer(callModern(origin, 'release'))
    expect(textOf(await readAnswer(waiting))).toBe('released')
  })

  it('has room for others when one user opens sessions without end', { timeout: 60_000 }, async () => {
    const origin = await open({ processPer: 'shared' })
    const mallory = { user: 'mallory', body: createRequest('initialize', { protocolVersion: '2025-06-18' }, 1) }
    const statuses: number[] = []
    for (let i = 0; i < 22 && !statuses.includes(503); i++) {
      const opened = Array.from({ length: 50 }, () => sendMcp(`${origin}/mcp`, mallory).then(({ status }) => status))
      statuses.push(...(await Promise.all(opened)))
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(1000)
    const session = await openSession(origin, { user: 'alice' })
    expect(await session.call('echo', { text: 'room' })).toBe('room')
  })

  it('ends when it has been idle for a while', async () => {
    const session = await openSession(await open({ processPer: 'shared', idleSeconds: 1.5 }))
    const pid = Number(await session.call('pid'))
    await waitUntil(() => !isRunning(pid), 'the child ends')
  })

  it('makes room for another when no client has a session with it', async () => {
    const origin = await open({ processPer: 'shared', maxProcesses: 1 })
    const session = await openSession(origin)
    await session.end()
    const other = await openSession(origin, { revision: '2025-06-18', user: 'bob' })
    expect(await other.call('echo', { text: 'x' })).toBe('x')
  })
})

describe.each(['legacy', 'modern'])('log messages of a server that all share (%s)', (ERA) => {
  it('reach no client, since they may be about any of them', async () => {
    const origin = await open({ processPer: 'shared', env: { ERA } })
    const meta = { 'io.modelcontextprotocol/logLevel': 'debug' }
    const waiting = callModern(origin, 'wait', {}, { meta })
    await gate.waitForStderr('waiting')
    await readAnswer(callModern(origin, 'log', { count: 3, data: 'about Bob' }, { user: 'bob' }))
    await readAnswer(callModern(origin, 'release', {}, { user: 'bob' }))
    expect((await readMessages(await waiting)).map(textOf)).toEqual(['released'])
  })
})

describe('a server that ends', () => {
  it('while it is asked for its tools has one call fail, not all that follow', async () => {
    const origin = await open({ env: { ERA: 'modern', ...dieOn('tools/list') } })
    // On a slow machine the answer has begun as an event stream by then: the error is in it.
    expect((await readAnswer(callModern(origin, 'echo', { text: 'x' }))).error.code).toBe(-31502)
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'again' })))).toBe('again')
  })

  it('while it is asked what it speaks for one user fails no other user who calls meanwhile', async () => {
    const env = { ERA: 'modern', ...dieOn('server/discover') }
    const origin = await open({ env })
    const first = callModern(origin, 'echo', { text: 'x' }, { user: 'alice' })
    await waitUntil(() => !existsSync(join(folder ?? '', 'once')), 'the child of the first ends')
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'y' }, { user: 'bob' })))).toBe('y')
    expect((await readAnswer(first)).error.code).toBe(-31502)
  })

  it('while it is asked what it speaks is not taken for something else ever after', async () => {
    const origin = await open({ env: { ERA: 'modern', ...dieOn('server/discover') } })
    await readAnswer(callModern(origin, 'echo', { text: 'x' }))
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'again' })))).toBe('again')
  })
})
