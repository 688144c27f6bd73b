import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../../core/clock.ts'
import { OutputReader } from './output-reader.ts'

describe('what a process writes', () => {
  function open(maxMessageBytes = 2000, clock: Pick<Clock, 'monotonic'> = systemClock) {
    const seen = {
      messages: [] as string[],
      broken: [] as unknown[],
      notes: [] as string[],
      replies: [] as string[],
      failures: [] as string[],
    }
    let isOver = false
    const reader = new OutputReader({
      clock,
      maxMessageBytes,
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
    return { seen, reader, write: (text: string) => reader.push(Buffer.from(`${text}\n`)) }
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

  it('is read for some milliseconds in one go, at least a line, and the rest is given back', () => {
    let now = 0
    const { seen, reader } = open(2000, { monotonic: () => (now += 2) })
    let rest: Buffer = Buffer.from(`${['a', 'b', 'c', 'd', 'e', 'f'].map(message).join('\n')}\n{"half"`)
    const read: number[] = []
    do {
      rest = reader.push(rest)
      read.push(seen.messages.length)
    } while (rest.length > 0)
    expect(read).toEqual([3, 6, 6])
    expect(seen.messages.join('')).toBe('abcdef')
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

  it('ends the process where it may answer any request, and is too much to be read', () => {
    const { seen, write } = open(1_000_000)
    write(`{"jsonrpc":"2.0","method":"x","params":[${'[],'.repeat(100_000)}1]}`)
    expect(seen).toMatchObject({ messages: [], failures: [] })
    write(`{"result":[${'[],'.repeat(100_000)}1`)
    expect(seen).toMatchObject({
      broken: [],
      failures: ['wrote a message with more values than are read, and without a clear id'],
    })
  })
})
