import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import type { Sender } from '../core/reading-thread.ts'
import { readOutcome } from './body-outcome.ts'
import { createLongBodies } from './long-bodies.ts'

const limits = { jsonDepth: 128, batchMembers: 50 }
const pad = (length: number): string => 'x'.repeat(length)
const call = (args: string, method = 'tools/call'): string =>
  `{"jsonrpc":"2.0","id":7,"method":"${method}","params":{"name":"weather","arguments":${args}}}`

const alice: Sender = { user: 'alice', hasLeft: () => false }

/** Bodies of each kind that there is. */
const bodies: Readonly<Record<string, Buffer>> = {
  'a call': Buffer.from(call(`{"note":"${pad(100_000)}"}`)),
  'a batch': Buffer.from(`[${call('{"a":1}')},${call(`{"note":"${pad(100_000)}"}`, 'prompts/get')}]`),
  'a completion with other arguments': Buffer.from(
    `{"jsonrpc":"2.0","id":"c","method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"file:///{a}/{b}"},"argument":{"name":"a","value":"${pad(50_000)}"},"context":{"arguments":{"b":"2"}}}}`,
  ),
  'a trace context': Buffer.from(
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},"arguments":{"n":"${pad(70_000)}"}}}`,
  ),
  'many keys': Buffer.from(call(`{${Array.from({ length: 10_000 }, (_, i) => `"key_${i}":${i}`).join()}}`)),
  'a repeated key': Buffer.from(call(`{"n":"${pad(70_000)}","a":1,"a":2}`)),
  'a look-alike': Buffer.from(call(`"${pad(70_000)}"`).replace('"method"', '"Method":"x","method"')),
  'half a text': Buffer.from(call(`"${pad(70_000)}"`).slice(0, -1)),
  'no UTF-8': Buffer.concat([Buffer.from(call(`"${pad(70_000)}"`)), Buffer.from([0xff])]),
  'too deep': Buffer.from(call(`${'['.repeat(129)}${']'.repeat(129)}`)),
  'too many in a batch': Buffer.from(`[${Array.from({ length: 51 }, () => call('{}')).join()}]`),
}

describe('long bodies', () => {
  const clock = createFakeClock()
  const longBodies = createLongBodies(clock)

  it.each(Object.keys(bodies))('are read alike in a thread: %s', async (name) => {
    const body = bodies[name] as Buffer
    expect(await longBodies.read(body, limits, alice)).toEqual(readOutcome(body, limits))
  })

  it('leave the body as it was, for it is forwarded', async () => {
    const body = Buffer.from(call(`{"note":"${pad(100_000)}"}`))
    const before = Buffer.from(body)
    await longBodies.read(body, limits, alice)
    expect(body.equals(before)).toBe(true)
  })

  it('let the process go on meanwhile', async () => {
    let isRead = false
    const reading = longBodies.read(bodies['many keys'] as Buffer, limits, alice).then(() => {
      isRead = true
    })
    // Read here, it would be over before the next turn of the event loop, however many promises are in between.
    for (let i = 0; i < 1000; i++) await undefined
    expect(isRead).toBe(false)
    await reading
  })

  it('are each answered with their own outcome, however many there are', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => call(`"${pad(70_000)}"`).replace('"weather"', `"tool_${i}"`))
    const outcomes = await Promise.all(texts.map((text) => longBodies.read(Buffer.from(text), limits, alice)))
    const targets = outcomes.map((outcome) => (outcome.kind === 'parsed' ? outcome.messages.operations[0]?.target : undefined))
    expect(targets).toEqual(texts.map((_, i) => `tool_${i}`))
  })

  it('of one user do not keep those of another waiting for more than one', async () => {
    const order: string[] = []
    const send = async (user: string): Promise<void> => {
      await longBodies.read(bodies['a call'] as Buffer, limits, { user, hasLeft: () => false })
      order.push(user)
    }
    await Promise.all(['alice', 'alice', 'alice', 'alice', 'bob'].map(send))
    expect(order.indexOf('bob')).toBeLessThanOrEqual(2)
  })

  it('are not read when their turn comes and the client has left', async () => {
    const first = longBodies.read(bodies['a call'] as Buffer, limits, alice)
    let hasLeft = false
    const second = longBodies.read(bodies['a call'] as Buffer, limits, { user: 'mallory', hasLeft: () => hasLeft })
    hasLeft = true
    await expect(second).rejects.toMatchObject({ code: 'client_gone' })
    expect((await first).kind).toBe('parsed')
  })

  it('are read by a new thread when the other one has ended', async () => {
    const body = bodies['a call'] as Buffer
    await longBodies.read(body, limits, alice)
    expect(clock.pending).toBe(1)
    clock.advance(30_000)
    expect((await longBodies.read(body, limits, alice)).kind).toBe('parsed')
  })

  it('are refused, not left waiting, when their thread fails', async () => {
    const failing = createLongBodies(clock, new URL('./no-such-file.js', import.meta.url))
    await expect(failing.read(bodies['a call'] as Buffer, limits, alice)).rejects.toThrow(/no-such-file/)
  })
})
