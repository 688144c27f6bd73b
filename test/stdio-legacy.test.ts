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
  gate = await openStdioGate({ command: scripted, ...plan })
  return gate.origin
}
afterEach(() => gate.close())

describe('an MCP session with a stdio server', () => {
  it('opens with initialize, answers calls as JSON, and ends with DELETE', async () => {
    const session = await openSession(await open())
    expect(session.id).toMatch(/^[\x21-\x7e]{40,}$/)
    expect(session.opened.result.serverInfo.name).toBe('scripted')
    const response = await session.post(createToolCall('echo', { text: 'hello' }, undefined, 'my-id'))
    expect(await readAnswer(response)).toMatchObject({ id: 'my-id', result: { content: [{ text: 'hello' }] } })
    const pid = Number(await session.call('pid'))
    expect((await session.end()).status).toBe(200)
    await waitUntil(() => !isRunning(pid), 'the child ends')
    expect((await session.post(createRequest('ping'))).status).toBe(404)
  })

  it.each([
    ['2025-03-26', 'application/json'],
    ['2025-06-18', 'application/json'],
    // From here on clients understand the event that makes every answer resumable.
    ['2025-11-25', 'text/event-stream'],
  ])('of %s is answered as %s when nothing comes before the answer', async (revision, type) => {
    const session = await openSession(await open(), { revision })
    const response = await session.post(createToolCall('echo', { text: 'hello' }))
    expect(response.headers.get('content-type')).toBe(type)
    expect(textOf(await readAnswer(response))).toBe('hello')
    const plain = await session.post(createToolCall('echo', { text: 'hello' }), { accept: 'application/json' })
    expect(plain.headers.get('content-type')).toBe('application/json')
    expect(textOf(await readAnswer(plain))).toBe('hello')
  })

  it('has a child of its own', async () => {
    const origin = await open()
    const [a, b] = await Promise.all([openSession(origin), openSession(origin)])
    expect(await a.call('pid')).not.toBe(await b.call('pid'))
    expect(await a.call('pid')).toBe(await a.call('pid'))
  })

  it('is its user’s only: another user with the same session id gets 404', async () => {
    const origin = await open()
    const session = await openSession(origin)
    const stolen = await sendMcp(`${origin}/mcp`, { user: 'mallory', session: session.id, body: createRequest('ping') })
    expect(stolen.status).toBe(404)
    expect((await sendMcp(`${origin}/mcp`, { user: 'mallory', session: session.id, method: 'DELETE' })).status).toBe(404)
    expect(await session.call('echo', { text: 'still mine' })).toBe('still mine')
  })

  it('is needed: a request without one gets 400', async () => {
    const origin = await open()
    const response = await sendMcp(`${origin}/mcp`, { body: createRequest('tools/list', {}, 7) })
    expect(response.status).toBe(400)
    expect(await readAnswer(response)).toMatchObject({ id: 7, error: { code: -32600 } })
    expect((await sendMcp(`${origin}/mcp`, { method: 'GET', accept: 'text/event-stream' })).status).toBe(400)
  })

  it('streams progress of a request on its own answer', async () => {
    const session = await openSession(await open())
    const response = await session.post(createToolCall('progress', { count: 3 }, { progressToken: 'p' }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const messages = await readMessages(response)
    expect(messages.map(({ params }) => params?.progress)).toEqual([1, 2, 3, undefined])
    expect(textOf(messages.at(-1)!)).toBe('made 3')
  })

  it('carries a request of the server to the client and its answer back', async () => {
    const session = await openSession(await open(), { capabilities: { elicitation: {} } })
    const response = await session.post(createToolCall('ask', { method: 'elicitation/create', params: { message: 'Name?' } }))
    const events = readEvents(response)
    expect((await events.next()).value).toMatchObject({ data: '' })
    const question = JSON.parse((await events.next()).value!.data)
    expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Name?' } })
    const told = await session.post({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: { name: 'Ada' } } })
    expect(told.status).toBe(202)
    expect(textOf(JSON.parse((await events.next()).value!.data))).toContain('Ada')
  })

  it('delivers what the server says by itself on the stream of a GET, kept until there is one', async () => {
    const session = await openSession(await open())
    await session.post(createToolCall('changed'), { accept: 'application/json' }).then(readAnswer)
    const events = readEvents(await session.get())
    expect(JSON.parse((await events.next()).value!.data).method).toBe('notifications/tools/list_changed')
    await session.call('changed')
    expect(JSON.parse((await events.next()).value!.data).method).toBe('notifications/tools/list_changed')
  })

  it('delivers what the server says by itself on one stream only, and no response on the stream of a GET', async () => {
    const session = await openSession(await open())
    const streams = [await session.get(), await session.get()].map(readMessages)
    for (let call = 0; call < 5; call++) {
      expect(await session.call('changed')).toBe('changed')
      expect(await session.call('echo', { text: 'x' })).toBe('x')
    }
    await session.end()
    const messages = (await Promise.all(streams)).flat()
    expect(messages.map(({ method }) => method)).toEqual(Array.from({ length: 5 }, () => 'notifications/tools/list_changed'))
  })

  it('says with the first event of a stream that can be resumed, and with no other, when to come back', async () => {
    const session = await openSession(await open())
    for (let call = 0; call < 2; call++)
      await session.post(createToolCall('changed'), { accept: 'application/json' }).then(readAnswer)
    const reader = (await session.get()).body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (text.split('list_changed').length < 3) text += (await reader.read()).value ?? ''
    await reader.cancel()
    expect(text.match(/^retry: .*$/gm)).toEqual(['retry: 1000'])
    expect(text.indexOf('retry: 1000')).toBeLessThan(text.indexOf('list_changed'))
  })

  it('resumes a broken stream behind the last event, and loses nothing', async () => {
    const session = await openSession(await open())
    const abort = new AbortController()
    const call = createToolCall('progress', { count: 20, pause: 20 }, { progressToken: 1 })
    const events = readEvents(await session.post(call, { signal: abort.signal }))
    const seen: string[] = []
    let last = ''
    for (let i = 0; i < 6; i++) {
      const { id, data } = (await events.next()).value!
      last = id!
      if (data !== '') seen.push(data)
    }
    abort.abort()
    await events.return(undefined).catch(() => undefined)
    const resumed = await readMessages(await session.get({ headers: { 'last-event-id': last } }))
    const all = [...seen.map((data) => JSON.parse(data)), ...resumed]
    expect(all.slice(0, -1).map(({ params }) => params.progress)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(textOf(all.at(-1))).toBe('made 20')
  })

  it('tells the server when the client of an answer that cannot be resumed goes away', async () => {
    const session = await openSession(await open(), { revision: '2025-06-18' })
    const abort = new AbortController()
    const hanging = session.post(createToolCall('hang', {}, undefined, 'gone'), { signal: abort.signal })
    // After a second the answer has begun as an event stream.
    const answer = hanging.then((response) => response.text())
    await gate.waitForStderr('hanging "gone"')
    abort.abort()
    await expect(answer).rejects.toThrow()
    await gate.waitForStderr('cancelled "gone"')
    expect(await session.call('echo', { text: 'on' })).toBe('on')
  })

  it('passes a cancellation on and ends the answer', async () => {
    const session = await openSession(await open())
    const answer = session.post(createToolCall('hang', {}, undefined, 41))
    await gate.waitForStderr('hanging 41')
    await session.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 41 } })
    await gate.waitForStderr('cancelled 41')
    expect((await readMessages(await answer)).every(({ result }) => result === undefined)).toBe(true)
  })

  it('answers a batch of 2025-03-26 with all its answers', async () => {
    const session = await openSession(await open(), { revision: '2025-03-26' })
    const batch = [createToolCall('echo', { text: 'a' }, undefined, 1), createToolCall('echo', { text: 'b' }, undefined, 2)]
    const messages = await readMessages(await session.post(batch))
    expect(messages.map((message) => [message.id, textOf(message)])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
  })

  it('refuses beyond max_processes with 503 and Retry-After, and serves again when one has ended', async () => {
    const origin = await open({ maxProcesses: 1 })
    const session = await openSession(origin)
    const waiting = session.post(createToolCall('wait'))
    await gate.waitForStderr('waiting')
    const refused = await sendMcp(`${origin}/mcp`, {
      user: 'bob',
      body: createRequest('initialize', { protocolVersion: '2025-11-25' }),
    })
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await session.end()
    await waiting.catch(() => undefined)
    await waitUntil(async () => (await openSession(origin, { user: 'bob' })).id !== '', 'its place is free')
  })

  it('ends an idle session', async () => {
    const session = await openSession(await open({ idleSeconds: 1.5 }))
    const pid = Number(await session.call('pid'))
    await waitUntil(() => !isRunning(pid), 'the child ends')
    expect((await session.post(createRequest('ping'))).status).toBe(404)
  })
})
