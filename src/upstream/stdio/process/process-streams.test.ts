import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createFakeClock } from '../../../../test/support/fake-clock.ts'
import { createCountingMemory, settle } from '../../../../test/support/fake-processes.ts'
import { HeldBytes } from './held-bytes.ts'
import { InputQueue } from './input-queue.ts'
import { OutputReader } from './output-reader.ts'
import { awaitSilence, escalate } from './process-group.ts'

/** An input that takes what is written only when a test says so. */
function openInput() {
  const written: string[] = []
  const taken: (() => void)[] = []
  const input = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, callback) {
      written.push(String(chunk))
      taken.push(callback)
    },
  })
  const memory = createCountingMemory()
  return { written, taken, memory, queue: new InputQueue(input, new HeldBytes(memory)) }
}

describe('messages for a process', () => {
  it('of one tick are written together, one a line, and hold memory until they are read', async () => {
    const { queue, written, taken, memory } = openInput()
    expect([queue.push('{"a":1}'), queue.push('{"b":2}')]).toEqual([true, true])
    expect([written, memory.held]).toEqual([[], 14])
    await settle()
    expect([written, memory.held]).toEqual([['{"a":1}\n{"b":2}\n'], 14])
    taken[0]!()
    await settle()
    expect(memory.held).toBe(0)
  })

  it('have line separators of other programs escaped', async () => {
    const { queue, written } = openInput()
    queue.push('"\u2028\u2029"')
    await settle()
    expect(written).toEqual(['"\\u2028\\u2029"\n'])
  })

  it('are a thousand at most, or eight million bytes, while it does not read', () => {
    const many = openInput()
    expect(Array.from({ length: 1001 }, () => many.queue.push('1')).filter((isTaken) => !isTaken)).toEqual([false])
    const long = openInput()
    expect([long.queue.push('x'.repeat(8 * 1024 * 1024)), long.queue.push('1')]).toEqual([true, false])
  })
})

describe('what a process writes', () => {
  function open() {
    const seen = {
      messages: [] as string[],
      broken: [] as unknown[],
      notes: [] as string[],
      replies: [] as string[],
      failures: [] as string[],
    }
    let isOver = false
    const reader = new OutputReader({
      maxMessageBytes: 2000,
      isOver: () => isOver,
      message: ({ method }) => {
        seen.messages.push(method)
        if (method === 'last') isOver = true
      },
      broken: (id) => void seen.broken.push(id),
      note: (line) => void seen.notes.push(line),
      reply: (text) => void seen.replies.push(text),
      fail: (reason) => void seen.failures.push(reason),
      hold: () => true,
      release: () => undefined,
    })
    return { seen, write: (text: string) => reader.push(Buffer.from(`${text}\n`)) }
  }
  const message = (method: string) => JSON.stringify({ jsonrpc: '2.0', method })

  it('is messages, log lines, and responses that fail their request', () => {
    const { seen, write } = open()
    write(message('a'))
    write('')
    write('starting')
    write('{"jsonrpc":"2.0","id":7}')
    expect(seen).toMatchObject({ messages: ['a'], broken: [7], failures: [] })
    expect(seen.notes).toHaveLength(2)
  })

  it('counts no more once it is over, in the middle of a batch or of a line', () => {
    const { seen, write } = open()
    write(`[${message('a')},${message('last')},${message('b')}]`)
    write(message('c'))
    expect(seen.messages).toEqual(['a', 'last'])
  })

  it('that is a request too deep to be passed on is answered', () => {
    const { seen, write } = open()
    write(`{"jsonrpc":"2.0","id":1,"method":"x","params":${'['.repeat(600)}${']'.repeat(600)}}`)
    expect(JSON.parse(seen.replies[0]!)).toMatchObject({ id: 1, error: { code: -32600 } })
  })

  it('that is too long fails its request, or the process where it is not known which', () => {
    const { seen, write } = open()
    write(`{"jsonrpc":"2.0","id":3,"result":"${'x'.repeat(3000)}"}`)
    expect([seen.broken, seen.failures]).toEqual([[3], []])
    write('x'.repeat(3000))
    expect(seen.failures).toEqual(['wrote a line of more than 2000 bytes'])
  })
})

describe('the memory of a process', () => {
  it('is given back once, whatever its pipes report afterwards', () => {
    const memory = createCountingMemory()
    const held = new HeldBytes(memory)
    held.take(10)
    held.give(4)
    held.giveAll()
    held.give(6)
    expect(memory.held).toBe(0)
  })
})

describe('the end of a process', () => {
  it('is asked for twice: SIGTERM after a time, SIGKILL after the same time again', async () => {
    const clock = createFakeClock()
    const signals: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    escalate(clock, 2000, (name) => void signals.push(name), promise)
    clock.advance(2000)
    expect(signals).toEqual(['SIGTERM'])
    clock.advance(2000)
    expect(signals).toEqual(['SIGTERM', 'SIGKILL'])
    resolve()
    await settle()
    expect(clock.pending).toBe(0)
  })

  it('comes when its output has been silent for a while, and however much it writes after a second', () => {
    const clock = createFakeClock()
    let ends = 0
    const { heard } = awaitSilence(clock, { silentMs: 50, longestMs: 1000 }, () => void ends++)
    for (let i = 0; i < 24; i++) {
      clock.advance(40)
      heard()
    }
    expect(ends).toBe(0)
    clock.advance(40)
    expect(ends).toBe(1)
    let silent = 0
    awaitSilence(clock, { silentMs: 50, longestMs: 1000 }, () => void silent++)
    clock.advance(50)
    expect(silent).toBe(1)
  })
})
