// Attack family S: one valid user, or one server, takes the memory by what the bridge to a process holds.
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import {
  createRequest,
  createToolCall,
  onlyJson,
  openSession,
  readAnswer,
  readEvents,
  sendModern,
  textOf,
} from '../support/mcp-requests.ts'
import { measureMemory } from '../support/memory.ts'
import { waitUntil } from '../support/processes.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'

const MiB = 1024 * 1024
let gate: StdioGate
const connections: RawConnection[] = []
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, ...plan })
  return gate.origin
}
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy()
  await gate.close()
})

/** Sends the same bytes over a connection of its own, without a copy of them. */
async function sendBytes(origin: string, bytes: Buffer): Promise<RawConnection> {
  const connection = await openRawConnection(Number(new URL(origin).port))
  connections.push(connection)
  connection.write(bytes)
  return connection
}

function formatPost(origin: string, body: string, headers: Record<string, string> = {}): Buffer {
  const fields = {
    host: new URL(origin).host,
    authorization: 'Bearer alice',
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return Buffer.from(`POST /mcp HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body}`)
}

const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const modernHeaders = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
})

const inside = {
  'many small objects': `[${'{},'.repeat(MiB / 3)}{}]`,
  text: `"${'x'.repeat(MiB)}"`,
} as const

describe.each(Object.entries(inside))('a request with 1 MiB of %s', (_what, json) => {
  const begun = '200 OK'
  const fill = (body: unknown) => JSON.stringify(body).replace('"FILL"', json)
  const args = { x: 'FILL' }

  it.each([
    ['a call of 2025-11-25', 'session', 'legacy'],
    ['a call of 2025-11-25 on a shared server', 'shared', 'legacy'],
    ['a call of 2026-07-28', 'session', 'modern'],
    ['a call of 2026-07-28 that a legacy server answers', 'session', 'legacy-modern'],
    ['a subscription of 2026-07-28', 'session', 'modern-listen'],
    ['a subscription of 2026-07-28 at a legacy server', 'session', 'legacy-listen'],
  ] as const)('is not held while its answer lasts: %s', { timeout: 60_000 }, async (_kind, processPer, how) => {
    const origin = await open({ processPer, env: how.startsWith('modern') ? { ERA: 'modern' } : {} })
    const session = how === 'legacy' ? await openSession(origin) : undefined
    const format = (id: number) => {
      if (session)
        return formatPost(origin, fill(createToolCall('hang', args, undefined, id)), {
          'mcp-session-id': session.id,
          'mcp-protocol-version': '2025-11-25',
        })
      if (how.endsWith('listen')) {
        const listen = { notifications: { toolsListChanged: true }, more: 'FILL', _meta: { ...modernMeta, more: 'FILL' } }
        return formatPost(origin, fill(createRequest('subscriptions/listen', listen, id)), modernHeaders('subscriptions/listen'))
      }
      return formatPost(origin, fill(createToolCall('hang', args, modernMeta, id)), modernHeaders('tools/call', 'hang'))
    }
    const send = async (id: number) => (await sendBytes(origin, format(id))).waitFor(begun)
    const hanging = () => gate.stderr.filter((line) => line.startsWith('hanging')).length
    const sendTwo = async (id: number) => {
      await send(id)
      await send(id + 1)
      // More than a few of them would have to wait for the server, and be refused.
      if (!how.endsWith('listen')) await waitUntil(() => hanging() > id, 'the server has read them')
    }
    await sendTwo(1)
    const before = measureMemory()
    for (let id = 3; id < 13; id += 2) await sendTwo(id)
    await waitUntil(() => measureMemory() - before < 4 * MiB, 'the requests are let go')
  })
})

describe('a server that asks without end during a call', () => {
  const asking = { capabilities: { elicitation: {} } }

  it.each([
    ['100 questions', 'x', 100],
    ['1 MiB of questions', 'x'.repeat(100_000), 10],
  ])('is refused beyond %s, and its call goes on', async (_what, message, most) => {
    const origin = await open()
    const call = { name: 'askMany', arguments: { count: 150, method: 'elicitation/create', params: { message } } }
    const first = await readAnswer(sendModern(origin, 'tools/call', call, asking))
    await gate.waitForStderr(`refused ${150 - most}`)
    const retry = (state: string, inputResponses: object) =>
      readAnswer(sendModern(origin, 'tools/call', { ...call, requestState: state, inputResponses }, asking))
    const all = await retry(first.result.requestState, {})
    const keys = Object.keys(all.result.inputRequests)
    expect(keys).toHaveLength(most)
    const declined = Object.fromEntries(keys.map((key) => [key, { action: 'decline' }]))
    expect(textOf(await retry(all.result.requestState, declined))).toBe(String(150 - most))
  })
})

describe('the memory that bridges have', () => {
  const openNarrow = async (plan: Partial<Parameters<typeof openStdioGate>[0]>, heldBytes: number) => {
    gate = await openStdioGate({ command: scripted, ...plan }, heldBytes)
    return gate.origin
  }

  it('is not taken by answers that their client does not read: others are refused, and other users served', async () => {
    const origin = await openNarrow({ processPer: 'shared' }, 64 * MiB)
    const session = await openSession(origin, { revision: '2025-06-18' })
    const headers = { 'mcp-session-id': session.id, 'mcp-protocol-version': '2025-06-18' }
    const ask = (id: number) =>
      formatPost(origin, JSON.stringify(createToolCall('big', { bytes: 7 * MiB }, undefined, id)), headers)
    const before = measureMemory()
    for (let id = 0; id < 12; id++) (await sendBytes(origin, ask(id))).socket.pause()
    await waitUntil(() => gate.records.filter(({ code }) => code === 'upstream_busy').length >= 9, 'most are refused')
    await waitUntil(() => measureMemory() - before < 24 * MiB, 'no more is held')
    const refused = await session.post(createToolCall('big', { bytes: 7 * MiB }, undefined, 99), onlyJson)
    expect(refused.status).toBe(503)
    expect(await readAnswer(refused)).toMatchObject({ id: 99, error: { data: { error: 'upstream_busy' } } })
    const bob = await openSession(origin, { user: 'bob' })
    expect((await bob.call('big', { bytes: 7 * MiB })).length).toBe(7 * MiB)
    // What nobody reads is given back when the client goes.
    for (const connection of connections.splice(0)) connection.destroy()
    await waitUntil(async () => (await session.call('big', { bytes: 7 * MiB })).length === 7 * MiB, 'there is memory again')
  })

  it('is not taken by the events that are kept for the sessions of one user', async () => {
    const origin = await openNarrow({ processPer: 'shared' }, 32 * MiB)
    const fill = async () => {
      const session = await openSession(origin)
      for (let i = 0; i < 2; i++) await session.call('big', { bytes: 450_000 })
      return session
    }
    await fill()
    const before = measureMemory()
    const sessions = await Promise.all(Array.from({ length: 20 }, fill))
    await waitUntil(() => measureMemory() - before < 12 * MiB, 'no more is kept')
    expect(await sessions[0]?.call('echo', { text: 'on' })).toBe('on')
  })

  it('ends a server that writes a line without end, and none of another user', async () => {
    const origin = await openNarrow({}, 4 * MiB)
    const [mine, other] = [await openSession(origin), await openSession(origin, { user: 'bob' })]
    const held = await readAnswer(mine.post(createToolCall('unfinished', { bytes: 3 * MiB }, undefined, 'x')))
    expect(held).toMatchObject({ id: 'x', error: { data: { error: 'upstream_ended' } } })
    expect(gate.events[0]).toContain('wrote more than there is memory for')
    expect(await other.call('echo', { text: 'on' })).toBe('on')
  })

  it('is not taken by calls that wait for servers that do not read', async () => {
    const origin = await openNarrow({}, 16 * MiB)
    const sessions = [await openSession(origin), await openSession(origin), await openSession(origin, { revision: '2025-06-18' })]
    for (const session of sessions) await session.call('deaf')
    const abort = new AbortController()
    const call = createToolCall('echo', { text: 'x'.repeat(1.6 * MiB) })
    const waiting = await Promise.all(sessions.slice(0, 2).map((session) => session.post(call, { signal: abort.signal })))
    expect(waiting.map(({ status }) => status)).toEqual([200, 200])
    expect((await sessions[2]?.post(call, onlyJson))?.status).toBe(503)
    expect(await (await openSession(origin, { user: 'bob' })).call('echo', { text: 'x' })).toBe('x')
    abort.abort()
  })

  it('is not taken by subscriptions: those that the server refuses are none, and the others have a bound', async () => {
    const origin = await openNarrow({ processPer: 'shared' }, 2 * MiB)
    const session = await openSession(origin, { revision: '2025-06-18' })
    const subscribe = (uri: string) => session.post(createRequest('resources/subscribe', { uri }), onlyJson)
    const long = (kind: string, i: number) => `${kind}:${i}/${'x'.repeat(10_000)}`
    for (let i = 0; i < 50; i++) expect((await subscribe(long('no', i))).status).toBe(200)
    const statuses: number[] = []
    for (let i = 0; i < 50; i++) statuses.push((await subscribe(long('yes', i))).status)
    const accepted = statuses.filter((status) => status === 200).length
    expect(accepted).toBe(26)
    expect(statuses.slice(accepted).every((status) => status === 503)).toBe(true)
    await session.post(createRequest('resources/unsubscribe', { uri: long('yes', 0) }))
    expect((await subscribe(long('yes', 99))).status).toBe(200)
    await session.end()
    const next = await openSession(origin, { revision: '2025-06-18' })
    for (let i = 0; i < 20; i++)
      expect((await next.post(createRequest('resources/subscribe', { uri: long('yes', i) }), onlyJson)).status).toBe(200)
  })

  it('hears nothing of what the server refused to tell of', async () => {
    const session = await openSession(await openNarrow({ processPer: 'shared' }, 2 * MiB))
    const events = readEvents(await session.get())
    await readAnswer(session.post(createRequest('resources/subscribe', { uri: 'no:1' })))
    await session.call('changed', { method: 'notifications/resources/updated', params: { uri: 'no:1' } })
    await session.call('changed')
    expect(JSON.parse((await events.next()).value!.data).method).toBe('notifications/tools/list_changed')
    await events.return(undefined)
  })
})
