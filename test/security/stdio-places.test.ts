// Attack family S: one user, or clients that never end their sessions, take every process of a stdio server.
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import { callModern, createRequest, createToolCall, openSession, readAnswer, sendMcp, textOf } from '../support/mcp-requests.ts'
import { isRunning, waitUntil } from '../support/processes.ts'

let gate: StdioGate
const open = async (plan: Partial<Parameters<typeof openStdioGate>[0]> = {}) => {
  gate = await openStdioGate({ command: scripted, ...plan })
  return gate.origin
}
afterEach(() => gate.close())

const pids = () => gate.stderr.flatMap((line) => /^starting as (\d+)$/.exec(line)?.[1] ?? []).map(Number)
const running = () => pids().filter(isRunning)

describe('processes of a stdio server', { timeout: 60_000 }, () => {
  it('are there for others when one user opens sessions without end', async () => {
    const origin = await open({ maxProcesses: 8 })
    const first = await openSession(origin, { user: 'bob' })
    for (let i = 0; i < 10; i++) expect((await openSession(origin, { user: 'mallory' })).id).not.toBe('')
    await waitUntil(() => running().length <= 3, 'Mallory has a share')
    expect((await openSession(origin)).id).not.toBe('')
    expect(await first.call('echo', { text: 'still here' })).toBe('still here')
  })

  it('are there for others when one user opens many sessions at once', async () => {
    const origin = await open({ maxProcesses: 4 })
    const body = createRequest('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'm' } })
    const flood = Array.from({ length: 50 }, () => sendMcp(`${origin}/mcp`, { user: 'mallory', body }).then(readAnswer))
    expect((await openSession(origin)).id).not.toBe('')
    await Promise.all(flood)
    expect((await openSession(origin, { user: 'bob' })).id).not.toBe('')
    expect(running().length).toBeLessThanOrEqual(4)
  })

  it('are not taken from a request that runs, neither of the user nor of another', async () => {
    const origin = await open({ maxProcesses: 4 })
    const busy = await Promise.all(['mallory', 'mallory', 'bob', 'carol'].map((user) => openSession(origin, { user })))
    const waiting = busy.map((session) => session.post(createToolCall('wait')))
    await waitUntil(() => gate.stderr.filter((line) => line.startsWith('waiting')).length === 4, 'all are at work')
    for (const user of ['mallory', 'alice', 'bob']) {
      const refused = await sendMcp(`${origin}/mcp`, { user, body: createRequest('initialize', {}) })
      expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true])
    }
    for (const session of busy) await session.call('release')
    for (const one of waiting) expect(textOf(await readAnswer(one))).toBe('released')
  })

  it('go from the user that holds most, the longest idle one first', async () => {
    const origin = await open({ maxProcesses: 4 })
    const [old, bobs] = [await openSession(origin, { user: 'carol' }), await openSession(origin, { user: 'bob' })]
    const [first, second] = [await openSession(origin, { user: 'mallory' }), await openSession(origin, { user: 'mallory' })]
    await first.call('echo', { text: 'used later than the second' })
    const mine = await openSession(origin)
    for (const session of [old, bobs, first, mine]) expect(await session.call('echo', { text: 'x' })).toBe('x')
    expect((await second.post(createRequest('ping'))).status).toBe(404)
  })

  it('go from an open stream on which nothing runs', async () => {
    const origin = await open({ maxProcesses: 2 })
    const sse = () => sendMcp(`${origin}/sse`, { method: 'GET', user: 'mallory', accept: 'text/event-stream' })
    const streams = [await sse(), await sse()]
    const session = await openSession(origin, { user: 'bob' })
    const events = await session.get()
    expect((await openSession(origin)).id).not.toBe('')
    expect((await openSession(origin)).id).not.toBe('')
    expect((await session.post(createRequest('ping'))).status).toBe(404)
    await Promise.all([...streams, events].map((response) => response.text()))
  })

  it('are there for others while a call waits for a process beyond the share of its user, and the call gets the next that is free', async () => {
    const origin = await open({ maxProcesses: 8 })
    const kinds = ['one', 'other'].map((kind) => ({ capabilities: { elicitation: {}, experimental: { [kind]: {} } } }))
    const ends = kinds.map(() => new AbortController())
    // After a second the answer has begun as an event stream.
    const taken = kinds.map((kind, i) =>
      callModern(origin, 'wait', {}, { ...kind, signal: ends[i]!.signal })
        .then((response) => response.text())
        .catch(({ name }) => name),
    )
    await waitUntil(() => gate.stderr.filter((line) => line.startsWith('waiting')).length === 2, 'her share is at work')
    const next = callModern(origin, 'echo', { text: 'mine' }, kinds[0])
    for (let i = 0; i < 3; i++)
      expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'x' }, { user: 'bob' })))).toBe('x')
    ends[0]!.abort()
    expect(textOf(await readAnswer(next))).toBe('mine')
    ends[1]!.abort()
    expect(await Promise.all(taken)).toEqual(['AbortError', 'AbortError'])
    expect(new Set(pids()).size).toBe(3)
  })

  it('go from clients of 2026-07-28 and to them', async () => {
    const origin = await open({ maxProcesses: 2 })
    const kinds = Array.from({ length: 6 }, (_, i) => ({ user: 'mallory', capabilities: { experimental: { [`kind${i}`]: {} } } }))
    for (const kind of kinds) expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'x' }, kind)))).toBe('x')
    expect((await openSession(origin)).id).not.toBe('')
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'y' }, { user: 'bob' })))).toBe('y')
  })
})
