import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import { callModern, openSession, readAnswer, readEvents, sendModern } from '../support/mcp-requests.ts'
import { waitUntil } from '../support/processes.ts'

let gate: StdioGate
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, env: { ERA: 'legacy' }, ...plan })
  return gate.origin
}
afterEach(() => gate.close())

describe('users of 2026-07-28 before servers that know earlier revisions only', () => {
  it('hear of what changes at their own process, not at that of another user', async () => {
    const origin = await open()
    const listen = async (user: string) => {
      const notifications = { resourceSubscriptions: ['x:y'] }
      return readEvents(await sendModern(origin, 'subscriptions/listen', { notifications }, { user }))
    }
    const change = (user: string) =>
      readAnswer(
        callModern(origin, 'changed', { method: 'notifications/resources/updated', params: { uri: 'x:y', of: user } }, { user }),
      )
    const streams = { alice: await listen('alice'), bob: await listen('bob') }
    const next = async (events: AsyncGenerator<{ data: string }>) => JSON.parse((await events.next()).value!.data).params
    for (const events of Object.values(streams)) await next(events)
    await change('bob')
    expect(await next(streams.bob)).toMatchObject({ of: 'bob' })
    await change('alice')
    expect(await next(streams.alice)).toMatchObject({ of: 'alice' })
  })

  it('go on where a server sent them to a URL with their own call only', async () => {
    const origin = await open()
    const call = (user: string, args: object, requestState?: unknown) => {
      const params = { name: 'urlNeeded', arguments: args, inputResponses: { 1: { action: 'accept' } } }
      const able = { user, capabilities: { elicitation: { url: {} } } }
      return readAnswer(sendModern(origin, 'tools/call', requestState === undefined ? params : { ...params, requestState }, able))
    }
    const { requestState } = (await call('alice', { a: 1 })).result
    expect((await call('bob', { a: 1 }, requestState)).error?.code).toBe(-32602)
    expect((await call('alice', { a: 2 }, requestState)).error?.code).toBe(-32602)
    expect((await call('alice', { a: 1 }, requestState)).result.resultType).toBe('input_required')
    expect((await call('alice', { a: 1 }, requestState)).error?.code).toBe(-32602)
  })
})

describe('a process that all sessions share', () => {
  it('gets no response from a client, since it asks none', async () => {
    const origin = await open({ processPer: 'shared' })
    const session = await openSession(origin)
    expect((await session.post({ jsonrpc: '2.0', id: 'forged', result: { action: 'accept' } })).status).toBe(202)
    await session.call('stderr', { line: 'what came before was read' })
    await gate.waitForStderr('what came before was read')
    expect(gate.stderr.filter((line) => line.includes('unasked'))).toEqual([])
  })

  it('is not held up by a client that takes nothing: its stream is cut', { timeout: 60_000 }, async () => {
    const origin = await open({ processPer: 'shared' })
    const [slow, other] = [await openSession(origin, { user: 'slow' }), await openSession(origin, { user: 'other' })]
    const socket = await openUnread(origin, slow.id)
    const isOver = () => gate.records.some(({ method }) => method === 'GET')
    for (let sent = 0; sent < 64 && !isOver(); sent++)
      expect(await other.call('changed', { params: { data: 'x'.repeat(1024 * 1024) } })).toBe('changed')
    await waitUntil(isOver, 'the stream to be cut')
    socket.destroy()
  })
})

/** Opens the stream of a session, and reads nothing behind its head. */
async function openUnread(origin: string, session: string): Promise<Socket> {
  const { port, host } = new URL(origin)
  const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
  const lines = ['Authorization: Bearer slow', 'Accept: text/event-stream', `Mcp-Session-Id: ${session}`]
  socket.write(['GET /mcp HTTP/1.1', `Host: ${host}`, ...lines, 'MCP-Protocol-Version: 2025-11-25', '', ''].join('\r\n'))
  await new Promise((resolve) => socket.once('data', resolve))
  socket.pause()
  return socket
}
