import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from './support/gate.ts'
import { callModern, createToolCall, openSession, readAnswer, textOf } from './support/mcp-requests.ts'
import { isRunning, waitUntil } from './support/processes.ts'

let gate: StdioGate
afterEach(() => gate.close())
const open = async (processPer: 'session' | 'shared', env: Record<string, string> = {}) => {
  gate = await openStdioGate({ command: scripted, processPer, env })
  return gate.origin
}

const halves = [
  ['its output', 1, 'closed its output'],
  ['its input', 0, 'no longer reads its input (EPIPE)'],
] as const

describe.each(halves)('a server that has closed %s and lives on', (_what, stream, reason) => {
  it('is ended and replaced where all share it, and no client waits for it', async () => {
    const origin = await open('shared')
    const session = await openSession(origin)
    const bob = await openSession(origin, { user: 'bob', revision: '2025-06-18' })
    const others = [bob, await openSession(origin, { user: 'carol', revision: '2025-06-18' })]
    const pid = Number(await session.call('pid'))
    const closing = await readAnswer(session.post(createToolCall('close', { stream })))
    expect(textOf(closing)).toBe('closed')
    // The first of them may still have met the old one: that is an error, not silence.
    const first = await readAnswer(session.post(createToolCall('echo', { text: 'x' }, undefined, 'first')))
    if (first.error) expect(first).toMatchObject({ id: 'first', error: { data: { error: 'upstream_ended' } } })
    await waitUntil(() => !isRunning(pid), 'the half-dead one ends')
    expect(await session.call('echo', { text: 'again' })).toBe('again')
    for (const other of others) expect(await other.call('echo', { text: 'mine' })).toBe('mine')
    expect(gate.events.filter((event) => event.includes(reason))).toHaveLength(1)
  })

  it('is ended where a session has it alone, and what it was asked fails', async () => {
    const session = await openSession(await open('session'), { revision: '2025-06-18' })
    const pid = Number(await session.call('pid'))
    const hanging = session.post(createToolCall('hang', {}, undefined, 'waits'))
    await gate.waitForStderr('hanging')
    await session.call('close', { stream })
    const late = await readAnswer(session.post(createToolCall('echo', { text: 'x' }, undefined, 'late')))
    expect(late.result).toBeUndefined()
    expect(await readAnswer(hanging)).toMatchObject({ id: 'waits', error: { data: { error: 'upstream_ended' } } })
    await waitUntil(() => !isRunning(pid), 'it ends')
    expect(gate.events[0]).toContain(reason)
  })

  it('is replaced for a client of 2026-07-28', async () => {
    const origin = await open('session', { ERA: 'modern' })
    const pid = Number(textOf(await readAnswer(callModern(origin, 'pid'))))
    await readAnswer(callModern(origin, 'close', { stream }))
    const first = await readAnswer(callModern(origin, 'echo', { text: 'x' }))
    if (first.error) expect(first.error.data.error).toBe('upstream_ended')
    await waitUntil(() => !isRunning(pid), 'it ends')
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'again' })))).toBe('again')
  })
})

describe('a server that has closed its input over a call', () => {
  it.each(['session', 'shared'] as const)('fails that call, and is replaced (a child per %s)', async (processPer) => {
    const origin = await open(processPer)
    const session = await openSession(origin, { revision: '2025-06-18' })
    const call = createToolCall('close', { stream: 0, isSilent: true }, undefined, 'last')
    expect(await readAnswer(session.post(call))).toMatchObject({ id: 'last', error: { data: { error: 'upstream_ended' } } })
    expect(gate.stderr).toContain('closed in silence')
    expect(gate.events[0]).toContain('no longer reads its input (EPIPE)')
    expect(await (await openSession(origin)).call('echo', { text: 'again' })).toBe('again')
  })

  it('fails that call of a client of 2026-07-28', async () => {
    const origin = await open('session', { ERA: 'modern' })
    const call = callModern(origin, 'close', { stream: 0, isSilent: true })
    expect((await readAnswer(call)).error.data.error).toBe('upstream_ended')
    expect(textOf(await readAnswer(callModern(origin, 'echo', { text: 'again' })))).toBe('again')
  })
})

describe('a server that a shell started and that is gone', () => {
  it('is noticed by its pipes, although the shell lives', async () => {
    const script = '"$@"; exec </dev/null >/dev/null; sleep 1000'
    gate = await openStdioGate({ command: ['/bin/sh', '-c', script, 'sh', ...scripted] })
    const session = await openSession(gate.origin, { revision: '2025-06-18' })
    const answer = await readAnswer(session.post(createToolCall('exit', {}, undefined, 'ends')))
    expect(answer).toMatchObject({ id: 'ends', error: { data: { error: 'upstream_ended' } } })
  })
})

describe('a server that ends', () => {
  it('is reported by its exit, not by the pipes that broke with it', async () => {
    const session = await openSession(await open('session'))
    await Promise.all([session.call('exit', { code: 7 }), session.call('echo'), session.call('echo')])
    expect(gate.events[0]).toContain('exited with 7')
  })
})
