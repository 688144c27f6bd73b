import { describe, expect, it, vi } from 'vitest'
import { MAX_DEPTH, readChildLine } from './child-messages.ts'

const read = (text: string) => readChildLine(Buffer.from(text))
const textOf = (line: ReturnType<typeof read>) => (line.kind === 'messages' ? line.messages[0]?.text : undefined)
const nest = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('a line of a server', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}', 'request'],
    ['{"jsonrpc":"2.0","method":"notifications/x"}', 'notification'],
    ['{"jsonrpc":"2.0","id":"a","result":{}}', 'response'],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":""}}', 'response'],
  ])('is a message that passes as it stands: %s', (text, kind) => {
    expect(read(text)).toMatchObject({ kind: 'messages', messages: [{ kind, text }] })
  })

  it.each([
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":null}', '{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1}}', '{"jsonrpc":"2.0","id":1,"error":{"code":1}}'],
    ['{"id":1,"result":{}}', '{"jsonrpc":"2.0","id":1,"result":{}}'],
    ['{"jsonrpc":"2.0",\r"id":1,"result":{}}', '{"jsonrpc":"2.0", "id":1,"result":{}}'],
  ])('is mended where its meaning is plain: %s', (text, mended) => {
    expect(textOf(read(text))).toBe(mended)
  })

  it.each([
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'both a result and an error'],
    ['{"jsonrpc":"1.0","id":1,"result":{}}', 'jsonrpc is not "2.0"'],
    ['{"jsonrpc":"2.0","id":1}', 'neither a result nor an error'],
    ['{"jsonrpc":"2.0","id":1,"result":NaN}', 'not JSON'],
    [`{"jsonrpc":"2.0","id":1,"error":${nest(MAX_DEPTH + 1)}}`, `nesting deeper than ${MAX_DEPTH}`],
  ])('fails its request where it can’t be passed on: %s', (text, reason) => {
    expect(read(text)).toEqual({ kind: 'broken', id: 1, reason })
  })

  it.each(['{"msg":"log"}', '"text"', 'starting…', '{"jsonrpc":"1.0","method":"x"}', '{"jsonrpc":"2.0","id":{},"method":"x"}'])(
    'is noise where it is no message: %s',
    (text) => {
      expect(read(text).kind).toBe('noise')
    },
  )

  it('is a message with what stood around it left out', () => {
    const line = read('\ufefflog: {"jsonrpc":"2.0","id":1,"result":{"x":"a\u0001b"}}')
    expect(line).toMatchObject({ kind: 'messages', around: 'log:' })
    expect(textOf(line)).toBe('{"jsonrpc":"2.0","id":1,"result":{"x":"a\\u0001b"}}')
  })

  it('is refused where it is a request that is too deep or has too long an id', () => {
    expect(read(`{"jsonrpc":"2.0","id":1,"method":"x","params":${nest(MAX_DEPTH + 1)}}`)).toMatchObject({
      kind: 'refused',
      id: 1,
    })
    expect(read(`{"jsonrpc":"2.0","id":"${'x'.repeat(1024)}","method":"x"}`).kind).toBe('messages')
    expect(read(`{"jsonrpc":"2.0","id":"${'x'.repeat(1025)}","method":"x"}`).kind).toBe('noise')
  })

  it('is not passed on where it is not UTF-8', () => {
    const bad = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"result":"'), Buffer.from([0xff]), Buffer.from('"}')])
    expect(readChildLine(bad)).toEqual({ kind: 'broken', id: 1, reason: 'not UTF-8' })
  })

  it('is a batch, message by message', () => {
    const lines = ['{"jsonrpc":"2.0","id":1,"result":{}}', '{"jsonrpc":"2.0","id":2}']
    expect(read(`[${lines.join(' , ')}]`)).toMatchObject({
      kind: 'batch',
      lines: [
        { kind: 'messages', messages: [{ text: lines[0] }] },
        { kind: 'broken', id: 2 },
      ],
    })
  })
})

/** More values than are built. */
const many = `[${'[],'.repeat(100_000)}[]]`

it.each(['cut in two"}]},"jsonrpc":"2.0","id":7}', '{two"}]},"jsonrpc":"2.0","id":7} '])(
  'the second part of a response that a line break has cut in two tells whose it was: %j',
  (line) => {
    expect(readChildLine(Buffer.from(line))).toEqual({ kind: 'broken', id: 7, reason: 'not JSON' })
  },
)

describe('a line with very many values', () => {
  it.each([
    `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","_meta":{"a":[1]},"content":${many}}}`,
    `{"result":{"resultType":"complete","_meta":{"a":[1]},"content":${many}},"id":7,"jsonrpc":"2.0"}`,
    ` {"jsonrpc" : "2.0","id":7,"result":{"content":${many},"_meta":{"a":[1]},"resultType":"complete"}} `,
  ])('is a response that passes as it stands, and of which only what is near its root is built: case %#', (text) => {
    const line = read(text)
    expect(textOf(line)).toBe(text)
    const value = { jsonrpc: '2.0', id: 7, result: { resultType: 'complete', _meta: { a: [1] } } }
    expect(line).toMatchObject({ messages: [{ kind: 'response', id: 7 }] })
    expect(line.kind === 'messages' && line.messages[0]?.value).toEqual(value)
  })

  it.each([
    ['an error', `{"jsonrpc":"2.0","id":7,"error":${many}}`],
    ['a result that does not end', `{"jsonrpc":"2.0","id":7,"result":${many.slice(0, -1)}`],
    ['a result with too many members', `{"jsonrpc":"2.0","id":7,"result":{"":1${',"a":[]'.repeat(100_000)}}}`],
    ['two ids', `{"jsonrpc":"2.0","id":7,"result":${many},"id":8}`],
    ['another version', `{"result":${many},"jsonrpc":"1.0","jsonrpc":"2.0","id":7}`],
    ['another version, without the right one', `{"result":{"a":${many}},"jsonrpc":"1.0","id":7}`],
    ['a result and an error', `{"jsonrpc":"2.0","result":{"a":${many}},"error":{},"id":7}`],
    ['an error in another order', `{"id":7,"error":${many}}`],
    ['a result with too many members, and its id is in another place', `{"result":{"":1${',"a":[]'.repeat(100_000)}},"id":7}`],
    ['a result with a raw control character', `{"jsonrpc":"2.0","id":7,"result":{"a":["\f",${many}]}}`],
  ])('fails its request where it is %s', (_what, text) => {
    expect(read(text)).toEqual({ kind: 'broken', id: 7, reason: 'more values than are read' })
  })

  it.each([
    `{"jsonrpc":"2.0","id":7,"result":{"content":${many}},"error":null}`,
    `{"jsonrpc":"2.0","error": null ,"result":{"content":${many}},"id":7}`,
    `{"id":7,"result":{"content":${many}}}`,
  ])('is a response in the correct form where its library writes all members, or no version: case %#', (text) => {
    const line = read(text)
    const { result, ...rest } = JSON.parse(textOf(line)!)
    expect([rest, Object.keys(result), result.content.length]).toEqual([{ jsonrpc: '2.0', id: 7 }, ['content'], 100_001])
    expect(line).toMatchObject({ messages: [{ id: 7, value: { jsonrpc: '2.0', id: 7 } }] })
  })

  it('is a response with the log that stood before it left out', () => {
    const text = `{"jsonrpc":"2.0","id":7,"result":{"content":${many}}}`
    const line = read(`log [1]: ${text}`)
    expect(line).toMatchObject({ kind: 'messages', around: 'log [1]:', messages: [{ kind: 'response', id: 7 }] })
    expect(textOf(line)).toBe(text)
    expect(read(`\ufeff${text}`)).toMatchObject({ kind: 'messages', around: undefined })
  })

  it.each([
    ['behind a log', `log: {"jsonrpc":"2.0","error":${many},"id":7}`],
    ['within a log', `log: {"error":${many},"id":7,"jsonrpc":"2.0"} took 3 ms`],
    ['behind a log, and does not end', `log: {"jsonrpc":"2.0","id":7,"result":${many}`],
  ])('fails its request where it stands %s', (_what, text) => {
    expect(read(text)).toEqual({ kind: 'broken', id: 7, reason: 'more values than are read' })
  })

  it.each([
    `log: {"jsonrpc":"2.0","result":${many}`,
    `[12:00] {"id":7,"result":${many},"id":8}`,
    `{"level":"info"} {"jsonrpc":"2.0","result":${many}`,
  ])('may answer any request where a message that is not clear stands behind a log: case %#', (text) => {
    expect(read(text)).toEqual({ kind: 'unclear', reason: 'more values than are read' })
  })

  it.each([
    ['in JSON', `{"level":"debug","data":{"id":7,"result":${many}}}`],
    ['in JSON, and does not end', `{"level":"debug","data":{"id":7,"result":${many}`],
    ['of what a client sent, and does not end', `got {"jsonrpc":"2.0","id":7,"method":"x","params":${many}`],
  ])('is noise where it is a log %s', (_what, text) => {
    expect(read(text).kind).toBe('noise')
  })

  it.each([
    ['a request with a long method', `{"jsonrpc":"2.0","id":7,"method":"${'x'.repeat(20_000)}","params":${many}}`, 'refused'],
    ['a response of a long version', `{"jsonrpc":"${'2'.repeat(20_000)}","id":7,"result":{"a":${many}}}`, 'broken'],
    [
      'a response of a long version, and another order',
      `{"result":{"a":${many}},"id":7,"jsonrpc":["${'2'.repeat(20_000)}"]}`,
      'broken',
    ],
  ])('is taken for what it is where it is %s', (_what, text, kind) => {
    expect(read(text)).toEqual({ kind, id: 7, reason: 'more values than are read' })
  })

  it.each(['params', 'result', 'error'])('is refused where it is a request, whatever it holds: %s', (name) => {
    const text = `{"${name}":{"a":${many}},"method":"x","id":"q","jsonrpc":"2.0"}`
    expect(read(text)).toEqual({ kind: 'refused', id: 'q', reason: 'more values than are read' })
  })

  it('fails each request that it answers where it is a batch', () => {
    const lines = [`{"result":{"a":${many}},"id":1,"jsonrpc":"2.0"}`, '{"jsonrpc":"2.0","id":2,"result":{}}']
    expect(read(`[${lines.join()},"x",{"jsonrpc":"2.0","method":"x"}]`)).toMatchObject({
      kind: 'batch',
      lines: [{ kind: 'broken', id: 1 }, { kind: 'broken', id: 2 }, { kind: 'noise' }, { kind: 'noise' }],
    })
  })

  it('fails its request where it is not UTF-8', () => {
    const text = Buffer.from(`{"result":{"a":"é","b":${many}},"id":7,"jsonrpc":"2.0"}`, 'latin1')
    expect(readChildLine(text)).toMatchObject({ kind: 'broken', id: 7 })
  })

  it.each([
    ['a message that does not end', `{"result":${many.slice(0, -1)}`],
    ['a message with two ids', `{"id":7,"result":${many},"id":8}`],
    ['a batch of very many', `[${'{"id":7,"result":[]},'.repeat(50_000)}{"id":7,"result":[]}]`],
  ])('may answer any request where it is %s', (_what, text) => {
    expect(read(text)).toEqual({ kind: 'unclear', reason: 'more values than are read' })
  })

  it.each([
    ['a notification', `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":${many}}}`],
    ['a log line in JSON', `{"level":"debug","id":7,"data":${many}}`],
    ['an answer to no request', `{"jsonrpc":"2.0","id":null,"error":${many}}`],
    ['an answer with an id of no request', `{"jsonrpc":"2.0","id":"${'x'.repeat(1025)}","error":${many}}`],
    ['a request of another version', `{"jsonrpc":"1.0","id":1,"method":"x","params":${many}}`],
    ['nothing but brackets', '['.repeat(200_000)],
    ['a string that does not end behind them', `${'['.repeat(200_000)}"`],
  ])('is noise where it is %s', (_what, text) => {
    expect(read(text).kind).toBe('noise')
  })

  it('is read like any other where they stand in strings', () => {
    const text = `{"jsonrpc":"2.0","id":7,"result":{"a":${JSON.stringify(many)}}}`
    expect(read(text)).toMatchObject({ messages: [{ value: { result: { a: many } } }] })
  })
})

it.each([
  '',
  ' \t',
  'y',
  'a log line',
  '[done]',
  '}',
  '123',
  '{',
  '{"jsonrpc":"2.0","id":1',
  'begins {"x":1} and goes on',
  '[1,2',
])('a line that cannot be JSON is not parsed, since a process may write many, and each would be an exception: %j', (line) => {
  const parse = vi.spyOn(JSON, 'parse')
  const { kind } = readChildLine(Buffer.from(line))
  const { length } = parse.mock.calls
  parse.mockRestore()
  expect([kind, length]).toEqual(['noise', 0])
})
