import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import {
  createRequest,
  createToolCall,
  openSession,
  readAnswer,
  readEvents,
  readMessages,
  sendMcp,
  textOf,
} from './support/mcp-requests.ts'
import { isRunning, waitUntil } from './support/processes.ts'

let gate: StdioGate
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, processPer: 'shared', ...plan })
  return gate.origin
}
afterEach(() => gate.close())

describe('a child that all sessions share', () => {
  it('answers everyone, and keeps equal ids and progress tokens apart', async () => {
    const origin = await open()
    const sessions = await Promise.all(Array.from({ length: 10 }, (_, i) => openSession(origin, { user: `user${i}` })))
    expect(new Set(await Promise.all(sessions.map((session) => session.call('pid')))).size).toBe(1)
    const answers = sessions.map(async (session, i) => {
      const echo = await readAnswer(session.post(createToolCall('echo', { text: `for ${i}` }, undefined, 1)))
      const progress = await readMessages(
        await session.post(createToolCall('progress', { count: i + 1 }, { progressToken: 1 }, 2)),
      )
      return [echo.id, textOf(echo), progress.length]
    })
    expect(await Promise.all(answers)).toEqual(sessions.map((_, i) => [1, `for ${i}`, i + 2]))
  })

  it('is initialized once for all clients, and sends no requests to any of them', async () => {
    const origin = await open()
    const session = await openSession(origin, { capabilities: { sampling: {} } })
    expect(session.opened.result.capabilities.logging).toBeUndefined()
    expect(await session.call('capabilities')).toBe('{}')
    expect(await session.call('ask', { method: 'sampling/createMessage', params: {} })).toContain('-32601')
    expect((await readAnswer(session.post(createRequest('logging/setLevel', { level: 'debug' })))).error.code).toBe(-32601)
    const messages = await readMessages(await session.post(createToolCall('log', { count: 3 })))
    expect(messages).toHaveLength(1)
  })

  it('tells the clients that are concerned of changes', async () => {
    const origin = await open()
    const [a, b] = await Promise.all([openSession(origin, { user: 'a' }), openSession(origin, { user: 'b' })])
    const [forA, forB] = [readEvents(await a.get()), readEvents(await b.get())]
    await readAnswer(a.post(createRequest('resources/subscribe', { uri: 'x:y' })))
    await b.call('changed', { method: 'notifications/resources/updated', params: { uri: 'x:y' } })
    await b.call('changed')
    expect(JSON.parse((await forA.next()).value!.data).method).toBe('notifications/resources/updated')
    expect(JSON.parse((await forB.next()).value!.data).method).toBe('notifications/tools/list_changed')
  })

  it('tells a session of what it subscribed to, whatever other sessions unsubscribe from', async () => {
    const origin = await open()
    const [a, b] = await Promise.all([openSession(origin, { user: 'a' }), openSession(origin, { user: 'b' })])
    const uris = ['x:y', `x:${'y'.repeat(20_000)}`]
    for (const uri of uris) {
      await readAnswer(a.post(createRequest('resources/subscribe', { uri })))
      for (const other of [uri, uri.toUpperCase(), `${uri}/../y`])
        expect((await readAnswer(b.post(createRequest('resources/unsubscribe', { uri: other })))).result).toEqual({})
    }
    expect(gate.stderr.filter((line) => line.startsWith('unsubscribed'))).toEqual([])
    await a.end()
    await gate.waitForStderr('unsubscribed x:yy')
  })

  it('is started again after it has ended, and sessions go on', async () => {
    const origin = await open()
    const session = await openSession(origin)
    const pid = Number(await session.call('pid'))
    expect(await session.call('exit')).toContain('upstream_ended')
    expect(isRunning(pid)).toBe(false)
    expect(await session.call('echo', { text: 'again' })).toBe('again')
  })

  it('is told when a session ends what it still waits for', async () => {
    const session = await openSession(await open())
    const answer = session.post(createToolCall('hang'))
    await gate.waitForStderr('hanging')
    await session.end()
    await gate.waitForStderr('cancelled')
    await answer.catch(() => undefined)
  })
})

describe.each(['session', 'shared'] as const)('HTTP+SSE before a stdio server (a child per %s)', (processPer) => {
  const connect = async (origin: string, user = 'alice') => {
    const abort = new AbortController()
    const events = readEvents(
      await sendMcp(`${origin}/sse`, { method: 'GET', user, accept: 'text/event-stream', signal: abort.signal }),
    )
    const endpoint = `${origin}${(await events.next()).value!.data}`
    const next = async () => JSON.parse((await events.next()).value!.data)
    const post = (body: unknown, as = user) => sendMcp(endpoint, { user: as, body })
    expect(
      (
        await post(
          createRequest(
            'initialize',
            { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 't', version: '1' } },
            0,
          ),
        )
      ).status,
    ).toBe(202)
    expect((await next()).result.protocolVersion).toBe('2024-11-05')
    return { next, post, close: () => abort.abort() }
  }

  it('answers on the stream', async () => {
    const client = await connect(await open({ processPer }))
    expect((await client.post(createToolCall('progress', { count: 2 }, { progressToken: 't' }, 1))).status).toBe(202)
    expect((await client.next()).params.progress).toBe(1)
    expect((await client.next()).params.progress).toBe(2)
    expect(textOf(await client.next())).toBe('made 2')
    client.close()
  })

  it('takes messages from no other user', async () => {
    const client = await connect(await open({ processPer }))
    expect((await client.post(createRequest('ping'), 'mallory')).status).toBe(404)
    client.close()
  })

  it('reports a crash with the ids of what ran', async () => {
    const client = await connect(await open({ processPer }))
    await client.post(createToolCall('exit', {}, undefined, 'doomed'))
    expect(await client.next()).toMatchObject({ id: 'doomed', error: { data: { error: 'upstream_ended' } } })
    client.close()
  })

  if (processPer === 'session')
    it('ends the child when the stream is closed', async () => {
      const client = await connect(await open({ processPer }))
      await client.post(createToolCall('pid'))
      const pid = Number(textOf(await client.next()))
      client.close()
      await waitUntil(() => !isRunning(pid), 'the child ends')
    })
})
