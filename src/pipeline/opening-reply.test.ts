import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createRequest, sendMcp } from '../../test/support/mcp-requests.ts'
import { openStepGate, type StepGate } from '../../test/support/step.ts'
import { ProxyError } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../core/reply.ts'
import type { RoutedCall } from '../core/route.ts'

let gate: StepGate
afterEach(() => gate.close())

const json = { 'content-type': 'application/json' }
const stream = { 'content-type': 'text/event-stream' }
const answerOf = (capabilities: unknown) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-11-25', capabilities } })
const changing = { tools: { listChanged: true }, prompts: { listChanged: 'yes' }, resources: { subscribe: true } }
const event = (data: string) => `event: message\ndata: ${data}\n\n`
const told = { listChanged: ['tools'], urlElicitation: false }
const nothing = { listChanged: [], urlElicitation: false }
const initialize = (capabilities: object = {}, clientInfo: object = {}) =>
  createRequest('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo }, 1)

type Write = (reply: Reply, headers: ReplyHeaders) => void

/** An upstream that answers `initialize` as it is told to, and everything else with 202 and the session's id. */
async function openUpstream(write: Write, clock = createFakeClock()) {
  gate = await openStepGate({}, { clock }, (call, reply) => {
    const session = { 'mcp-session-id': 'inside' }
    if (call.operations[0]?.method === 'initialize') return write(reply, session)
    reply.start(202, session)
    reply.end()
  })
  return clock
}
const send = (body: unknown, headers: Record<string, string> = {}) => sendMcp(`${gate.origin}/mcp`, { body, headers })

/** What the call after `initialize` knows of the session. */
async function declaredIn(response: Response) {
  const session = response.headers.get('mcp-session-id') ?? ''
  const next = await sendMcp(`${gate.origin}/mcp`, { body: createRequest('ping'), session })
  expect(next.headers.get('mcp-session-id')).toBe(session)
  expect(gate.calls.at(-1)?.mcpSessionId).toBe('inside')
  return (gate.calls.at(-1) as RoutedCall).declared
}

const pieces = (text: string) => text.match(/.{1,7}/gs) ?? []
const priming = 'id: 1\nretry: 5\ndata: \n\n'
const log = event('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}')

describe('an answer that opens a session', () => {
  it.each<[string, ReplyHeaders, string[]]>([
    ['as JSON', json, [answerOf(changing)]],
    ['as JSON in pieces', json, pieces(answerOf(changing))],
    ['as JSON of known length', { ...json, 'content-length': String(answerOf(changing).length) }, [answerOf(changing)]],
    ['as an event', stream, [event(answerOf(changing))]],
    ['as an event behind others, in pieces', stream, pieces(priming + log + event(answerOf(changing)))],
  ])('tells later requests %s what the server declared, and stays as it is', async (_how, headers, chunks) => {
    await openUpstream((reply, session) => {
      reply.start(200, { ...headers, ...session })
      for (const chunk of chunks) reply.write(Buffer.from(chunk))
      reply.end()
    })
    const response = await send(initialize())
    expect(await response.text()).toBe(chunks.join(''))
    expect(response.headers.get('content-type')).toBe(headers['content-type'])
    expect(await declaredIn(response)).toEqual(told)
  })

  it.each<[string, object, boolean]>([
    ['by URL', { elicitation: { form: {}, url: {} } }, true],
    ['by forms', { elicitation: {} }, false],
    ['by nothing that is an object', { elicitation: { url: true } }, false],
  ])('tells them that the client can be asked %s', async (_how, capabilities, urlElicitation) => {
    await openUpstream((reply, session) => {
      reply.start(200, { ...json, ...session })
      reply.write(Buffer.from(answerOf({})))
      reply.end()
    })
    expect(await declaredIn(await send(initialize(capabilities)))).toEqual({ listChanged: [], urlElicitation })
  })

  it.each<[string, number, ReplyHeaders, string]>([
    ['an error', 200, json, '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}'],
    ['another status', 202, json, answerOf(changing)],
    ['an encoding', 200, { ...json, 'content-encoding': 'br' }, answerOf(changing)],
    ['more than 64 KiB', 200, json, answerOf({ ...changing, x: 'x'.repeat(65_536) })],
    ['no JSON', 200, json, 'yes'],
    ['nothing', 200, json, ''],
    ['an event that is not complete', 200, stream, event(answerOf(changing)).trimEnd()],
    ['capabilities that are none', 200, json, answerOf('all')],
  ])('tells nothing by %s, which passes as it is', async (_what, status, headers, text) => {
    await openUpstream((reply, session) => {
      reply.start(status, { ...headers, ...session })
      for (const chunk of text.match(/.{1,9000}/gs) ?? []) reply.write(Buffer.from(chunk))
      reply.end()
    })
    const sent = headers['content-encoding'] === undefined
    const response = sent ? await send(initialize()) : await sendUndecoded()
    expect(response.status).toBe(status)
    if (sent) expect(await response.text()).toBe(text)
    expect(await declaredIn(response)).toEqual(nothing)
  })

  /** Nothing looks at the body. */
  const sendUndecoded = async () => {
    const response = await send(initialize())
    await response.body?.cancel()
    return response
  }

  it('begins at once where it opens no session', async () => {
    await openUpstream((reply) => {
      reply.start(200, stream)
    })
    const response = await send(initialize())
    expect(response.headers.has('mcp-session-id')).toBe(false)
    await response.body?.cancel()
  })

  it('begins without what is declared where that takes too long', async () => {
    let open: Reply | undefined
    const clock = await openUpstream((reply, session) => {
      open = reply
      reply.start(200, { ...stream, ...session })
      reply.write(Buffer.from(priming))
    })
    const answered = send(initialize())
    await vi.waitUntil(() => open !== undefined)
    clock.advance(15_000)
    const response = await answered
    open?.write(Buffer.from(event(answerOf(changing))))
    open?.end()
    expect(await response.text()).toBe(priming + event(answerOf(changing)))
    expect(await declaredIn(response)).toEqual(nothing)
  })

  it('is a refusal where it fails before it is known', async () => {
    await openUpstream((reply, session) => {
      reply.start(200, { ...stream, ...session })
      reply.write(Buffer.from(priming))
      reply.fail(new ProxyError('upstream_unreachable', { reason: 'connection_lost' }))
    })
    const response = await send(initialize())
    expect([response.status, response.headers.has('mcp-session-id')]).toEqual([502, false])
    expect(await response.json()).toMatchObject({ id: 1, error: {} })
  })

  it('is not held any more when its client has gone', async () => {
    let open: Reply | undefined
    await openUpstream((reply, session) => {
      open = reply
      reply.start(200, { ...stream, ...session })
    })
    const leave = new AbortController()
    const answered = sendMcp(`${gate.origin}/mcp`, { body: initialize(), signal: leave.signal }).catch(() => undefined)
    await vi.waitUntil(() => open !== undefined)
    expect(open?.write(Buffer.from(':\n\n'))).toBe(true)
    leave.abort()
    await answered
    await vi.waitUntil(() => open?.write(Buffer.from(':\n\n')) === false)
  })
})

it('asks for the answer that opens a session without an encoding, and for others as the client does', async () => {
  await openUpstream((reply, session) => {
    reply.start(202, session)
    reply.end()
  })
  await send(initialize(), { 'accept-encoding': 'br' })
  expect(gate.calls.at(-1)?.headers).not.toContain('accept-encoding')
  await send(createRequest('ping'), { 'accept-encoding': 'br' })
  expect(gate.calls.at(-1)?.headers).toContain('accept-encoding')
})
