import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { createRequest, createToolCall, openSession, readAnswer, readEvents, sendMcp, textOf } from './support/mcp-requests.ts'
import { childrenOf, isRunning, waitUntil } from './support/processes.ts'

let gate: StdioGate
let folder: string | undefined
afterEach(async () => {
  await gate?.close()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  folder = undefined
})

const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
const initialize = (id: string | number, more: object = {}) => createRequest('initialize', { ...params, ...more }, id)
const starts = () => gate.stderr.filter((line) => line.startsWith('starting as'))

/** A server whose start lasts until it is let go. */
const openSlow = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  folder = mkdtempSync(join(tmpdir(), 'stdio-'))
  const file = join(folder, 'hold')
  writeFileSync(file, '')
  gate = await openStdioGate({ command: scripted, env: { HOLD_START: file }, ...plan })
  return { origin: gate.origin, go: () => rmSync(file) }
}

/** Has a client ask for a session and give up. */
const giveUp = async (origin: string, user = 'alice', more: object = {}) => {
  const before = starts().length
  const abort = new AbortController()
  const asked = sendMcp(`${origin}/mcp`, { user, body: initialize('impatient', more), signal: abort.signal })
  await waitUntil(() => starts().length > before, 'the server starts')
  abort.abort()
  await expect(asked).rejects.toThrow()
  await waitUntil(() => gate.records.length > 0, 'the proxy has noticed')
}

describe('a stdio server whose first start takes longer than its client waits', () => {
  it.each([
    ['comes before it has started', false],
    ['comes after it has started', true],
  ])('serves the next client of that user that %s', async (_when, isLate) => {
    const { origin, go } = await openSlow()
    await giveUp(origin)
    if (isLate) go()
    const next = sendMcp(`${origin}/mcp`, { user: 'alice~another', body: initialize('patient') })
    if (!isLate) {
      await waitUntil(() => gate.events !== undefined && gate.records.length === 1, 'the client waits')
      go()
    }
    const response = await next
    expect(await readAnswer(response)).toMatchObject({ id: 'patient', result: { serverInfo: { name: 'scripted' } } })
    expect(starts()).toHaveLength(1)
    const session = response.headers.get('mcp-session-id') ?? ''
    const call = sendMcp(`${origin}/mcp`, { session, body: createToolCall('pid') })
    expect(starts()).toEqual([`starting as ${textOf(await readAnswer(call))}`])
  })

  it.each([
    ['another user', 'bob', {}],
    ['a client that can do something else', 'alice', { capabilities: { sampling: {} } }],
    ['a client of another revision', 'alice', { protocolVersion: '2025-06-18' }],
  ])('starts anew for %s', async (_who, user, more) => {
    const { origin, go } = await openSlow()
    await giveUp(origin)
    const next = sendMcp(`${origin}/mcp`, { user, body: initialize(1, more) })
    await waitUntil(() => starts().length === 2, 'another one starts')
    go()
    expect((await next).status).toBe(200)
  })

  it('serves each of two clients that wait at the same time', async () => {
    const { origin, go } = await openSlow()
    const both = [1, 2].map((id) => sendMcp(`${origin}/mcp`, { body: initialize(id) }))
    await waitUntil(() => starts().length === 2, 'both start')
    go()
    const ids = (await Promise.all(both)).map((response) => response.headers.get('mcp-session-id'))
    expect(new Set(ids).size).toBe(2)
  })
})

describe('a stdio server that never answers its first request', () => {
  const mute = "process.stderr.write('mute ' + process.pid + '\\n'); process.stdin.resume(); setInterval(() => 0, 1000)"
  const command = [process.execPath, '-e', mute]
  /** Servers lead a group of processes, and their watchdog does not. */
  const listServers = () => childrenOf(process.pid).filter(({ pid, group, state }) => group === pid && state !== 'Z')
  const pidOf = async () => Number((await gate.waitForStderr('mute')).slice(5))

  it.each(['session', 'shared'] as const)('is given up after start_timeout_seconds (a child per %s)', async (processPer) => {
    gate = await openStdioGate({ command, processPer, startSeconds: 0.3 })
    const response = await sendMcp(`${gate.origin}/mcp`, { body: initialize('first') })
    expect(response.status).toBe(504)
    expect(await readAnswer(response)).toMatchObject({ id: 'first', error: { data: { error: 'upstream_timeout' } } })
    expect(response.headers.get('mcp-session-id')).toBeNull()
    expect(gate.events.join()).toContain('did not answer its first request within 0.3 seconds')
    // On a busy machine it ends before it could say which it is.
    await waitUntil(() => listServers().length === 0, 'it has ended')
  })

  it('is given up although its client is gone, and its place is free', async () => {
    gate = await openStdioGate({ command, startSeconds: 3, maxProcesses: 1 })
    const abort = new AbortController()
    const asked = sendMcp(`${gate.origin}/mcp`, { body: initialize(1), signal: abort.signal })
    const pid = await pidOf()
    abort.abort()
    await expect(asked).rejects.toThrow()
    await waitUntil(() => !isRunning(pid), 'it has ended')
    expect(gate.events.join()).toContain('did not answer its first request')
    expect((await sendMcp(`${gate.origin}/mcp`, { user: 'bob', body: initialize(1) })).status).toBe(504)
  })

  it('is given up on HTTP+SSE, too', async () => {
    gate = await openStdioGate({ command, startSeconds: 0.3 })
    const events = readEvents(await sendMcp(`${gate.origin}/sse`, { method: 'GET', accept: 'text/event-stream' }))
    const endpoint = (await events.next()).value?.data ?? ''
    await sendMcp(`${gate.origin}${endpoint}`, { body: initialize('first') })
    const { data = '' } = (await events.next()).value ?? {}
    expect(JSON.parse(data)).toMatchObject({ id: 'first', error: { data: { error: 'upstream_timeout' } } })
    expect((await events.next()).done).toBe(true)
  })
})

describe('what a stdio server asks by itself', () => {
  const open = async () => {
    gate = await openStdioGate({ command: scripted })
    return openSession(gate.origin, { capabilities: { elicitation: {} } })
  }
  type Session = Awaited<ReturnType<typeof open>>
  /** A call whose client loses its connection, and may come back for it. */
  const lose = async (session: Session, tool: string, args = {}) => {
    const abort = new AbortController()
    const events = readEvents(await session.post(createToolCall(tool, args), { signal: abort.signal }))
    const { id = '' } = (await events.next()).value ?? {}
    await gate.waitForStderr(tool === 'hang' ? 'hanging' : 'asks later')
    const before = gate.records.length
    abort.abort()
    await waitUntil(() => gate.records.length > before, 'the proxy has noticed')
    return id
  }
  const trigger = (session: Session) => session.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })

  it('goes to the call whose client is there, not to a newer one whose client is gone', async () => {
    const session = await open()
    const attached = readEvents(
      await session.post(createToolCall('askLater', { method: 'elicitation/create', params: { message: '?' } })),
    )
    await attached.next()
    await gate.waitForStderr('asks later')
    await lose(session, 'hang')
    await trigger(session)
    expect(JSON.parse((await attached.next()).value?.data ?? '').method).toBe('elicitation/create')
  })

  it('goes to the stream of a GET when no client of a call is there', async () => {
    const session = await open()
    await lose(session, 'askLater', { method: 'elicitation/create', params: { message: '?' } })
    const standalone = readEvents(await session.get())
    await trigger(session)
    expect(JSON.parse((await standalone.next()).value?.data ?? '').method).toBe('elicitation/create')
  })

  it('is answered by the proxy when it is a ping and no client is there', async () => {
    const session = await open()
    const id = await lose(session, 'askLater', { method: 'ping' })
    await trigger(session)
    await gate.waitForStderr('has its answer')
    const resumed = readEvents(await session.get({ headers: { 'last-event-id': id } }))
    expect(textOf(JSON.parse((await resumed.next()).value?.data ?? ''))).toBe('{}')
  })

  it('is not answered twice, nor when it was not asked', async () => {
    const session = await open()
    await session.post({ jsonrpc: '2.0', id: 'never-asked', result: {} })
    await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'never-sent' } })
    const line = Buffer.from(await session.call('received'), 'base64').toString()
    expect(line).not.toContain('never-')
  })
})
