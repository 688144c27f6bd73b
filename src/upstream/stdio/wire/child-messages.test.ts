import { describe, expect, it } from 'vitest'
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

  it('is a batch no more where it holds too much', () => {
    expect(read(`[{"jsonrpc":"2.0","id":1,"result":${many}}]`).kind).toBe('noise')
  })
})

/** More values than are built. */
const many = `[${'[],'.repeat(100_000)}[]]`

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
    ['a request', `{"jsonrpc":"2.0","id":7,"error":1,"method":"x","params":{"a":${many}}}`],
    ['a result that does not end', `{"jsonrpc":"2.0","id":7,"result":${many.slice(0, -1)}`],
    ['a result with too many members', `{"jsonrpc":"2.0","id":7,"result":{"":1${',"a":[]'.repeat(100_000)}}}`],
    ['two ids', `{"jsonrpc":"2.0","id":7,"result":${many},"id":8}`],
    ['another version', `{"result":${many},"jsonrpc":"1.0","jsonrpc":"2.0","id":7}`],
  ])('fails its request where it is %s', (_what, text) => {
    expect(read(text)).toEqual({ kind: 'broken', id: 7, reason: 'more values than are read' })
  })

  it.each([
    ['a notification', `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":${many}}}`],
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
