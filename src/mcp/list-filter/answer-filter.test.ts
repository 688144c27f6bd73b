import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFakeReply } from '../../../test/support/fake-reply.ts'
import { filterAnswer, filterStream, hidesSecrets, someMemory } from '../../../test/support/visibility.ts'
import { ProxyError } from '../../core/errors.ts'
import { createHeldMemory } from '../../core/held-memory.ts'
import { AnswerFilter } from './answer-filter.ts'

const list = (...names: string[]): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: names.map((name) => ({ name, title: 'Ünï😀' })) } })
const updated = (uri: string): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } })

/** Every way to cut bytes into pieces. */
const cutting = fc.oneof(fc.constant('bytes' as const), fc.array(fc.nat(2000), { maxLength: 12 }))

function cut(text: string, how: 'bytes' | number[]): Uint8Array[] {
  const bytes = Buffer.from(text)
  if (how === 'bytes') return [...bytes].map((byte) => Uint8Array.of(byte))
  const points = [0, ...how.map((point) => point % (bytes.length + 1)), bytes.length].sort((one, other) => one - other)
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end))
}

describe('a JSON answer', () => {
  it('is filtered however it is cut, and has the length that it has then', () => {
    fc.assert(
      fc.property(cutting, (how) => {
        const reply = filterAnswer(cut(list('a', 'secret', 'b'), how), {
          headers: { 'content-type': 'application/json; charset=UTF-8', 'content-length': '999', etag: '"x"' },
        })
        expect(reply.body).toBe(list('a', 'b'))
        expect(reply.headers).toEqual({
          'content-type': 'application/json; charset=UTF-8',
          'content-length': String(Buffer.byteLength(list('a', 'b'))),
        })
        expect(reply.isEnded).toBe(true)
      }),
    )
  })

  it('passes byte for byte where nothing is hidden, with its headers', () => {
    const text = `{ "id": 1, "result": {"content": [${'1,'.repeat(100_000)}1]}}`
    const reply = filterAnswer([text], { headers: { etag: '"x"', 'content-type': 'application/json' } })
    expect(reply.body).toBe(text)
    expect(reply.headers.etag).toBe('"x"')
  })

  it('begins only when it is complete, so that it can be refused', () => {
    const reply = createFakeReply()
    const filter = new AnswerFilter(reply, { ...hidesSecrets, memory: someMemory(), awaitsMessage: true })
    filter.start(200, { 'content-type': 'application/json' })
    filter.write(Buffer.from(list('a').slice(0, 20)))
    filter.fail(new ProxyError('upstream_timeout'))
    expect([reply.status, reply.failure]).toEqual([undefined, 'upstream_timeout'])
    filter.end()
    expect(reply.isEnded).toBe(false)
  })

  it.each<[string, Parameters<typeof filterAnswer>[1], string?]>([
    ['encoded', { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } }],
    ['in another charset', { headers: { 'content-type': 'application/json; charset=utf-16le' } }],
    ['in another charset than it says first', { headers: { 'content-type': 'application/json; charset="utf-7"' } }],
    ['of two types', { headers: { 'content-type': ['application/json', 'text/event-stream'] } }],
    ['an event stream to some', { headers: { 'content-type': 'application/json, text/event-stream' } }],
    ['a part', { status: 206 }],
    ['no UTF-8', {}, '\xff'],
    ['no message', {}, 'tools: secret'],
    ['a text', {}, '"secret"'],
    ['a notification about what is hidden', {}, updated('secret:1')],
    ['behind a byte order mark', {}, `\ufeff${list('secret')}`],
    ['no JSON of any type', { headers: { 'content-type': 'text/plain' } }, 'secret'],
    ['a body of none', { headers: { 'content-length': '0' } }],
  ])('is refused when it is %s', (_what, options, body = list('a')) => {
    const bytes = body === '\xff' ? Uint8Array.of(0x7b, 0xff, 0x7d) : body
    const reply = filterAnswer([bytes], options)
    expect(reply.failure).toBe('answer_unfilterable')
    expect(reply.body).toBe('')
  })

  it.each([
    [404, 'text/plain', 'Not found {"tools":[]}'],
    [400, 'text/html', '<p>{"result":{}}</p>'],
    [200, 'text/plain', 'OK'],
    [202, 'text/plain', ''],
    [200, 'application/json', '"Accepted"'],
    [204, 'text/plain', ''],
  ])('of status %d and type %s may be anything but a message where none is awaited: %s', (status, type, body) => {
    const reply = filterAnswer([body], { status, headers: { 'content-type': type }, awaitsMessage: status >= 400 })
    expect([reply.status, reply.body, reply.isEnded]).toEqual([status, body, true])
  })

  it.each([204, 304])('of status %d has no body, and the length that the upstream says', (status) => {
    const reply = filterAnswer([], { status, headers: { 'content-length': '999' } })
    expect([reply.status, reply.headers, reply.isEnded]).toEqual([status, { 'content-length': '999' }, true])
  })

  it.each([
    [200, {}],
    [404, { 'content-type': 'text/plain' }],
    [500, { 'content-type': 'application/json' }],
  ])('of status %d is filtered if it is a message, whatever it says that it is', (status, headers) => {
    expect(filterAnswer([`${' '.repeat(2000)}${list('secret')}`], { status, headers, awaitsMessage: false }).body.trim()).toBe(
      list(),
    )
    expect(filterAnswer([`\ufeff${list('secret')}`], { status, headers, awaitsMessage: false }).failure).toBe(
      'answer_unfilterable',
    )
  })

  it('that is too long is refused, and takes no memory any more', () => {
    const memory = createHeldMemory(1024 * 1024)
    const share = memory.open('test', 'alice')
    const megabyte = Buffer.alloc(1024 * 1024, 0x20)
    expect(filterAnswer(Array(17).fill(megabyte), { memory: someMemory() }).failure).toBe('answer_unfilterable')
    expect(filterAnswer([megabyte.subarray(0, 400_000), megabyte], { memory: share }).failure).toBe('upstream_busy')
    expect(filterAnswer([list('a'), megabyte.subarray(0, 200_000)], { memory: share }).body).toContain(list('a'))
    expect(share.take(256 * 1024)).toBe(true)
  })

  it('gives its memory back when the client goes away', () => {
    const share = createHeldMemory(1024 * 1024).open('test', 'alice')
    const reply = createFakeReply()
    const filter = new AnswerFilter(reply, { ...hidesSecrets, memory: share, awaitsMessage: true })
    filter.start(200, { 'content-type': 'application/json' })
    filter.write(Buffer.alloc(200_000))
    expect(share.take(200_000)).toBe(false)
    reply.leave()
    expect(share.take(256 * 1024)).toBe(true)
    expect(filter.write(Buffer.alloc(200_000))).toBe(false)
  })
})

describe('an event stream', () => {
  const ends = fc.constantFrom('\n', '\r', '\r\n')

  it('is filtered event by event, however it is cut, and the rest passes byte for byte', () => {
    fc.assert(
      fc.property(ends, cutting, (end, how) => {
        const event = (...lines: string[]): string => [...lines, '', ''].join(end)
        const before = [
          `: hello${end}`,
          event('id: 1', 'data:'),
          event(`data:${list('a', 'secret')}`),
          event('event: message', 'id: 2', `data: ${updated('secret:1')}`),
          event('retry: 10', `data: ${updated('open:1')}`),
          `:${end}${end}`,
          event('event: endpoint', 'data: /messages?x=1'),
          event('data: {"result":', 'data: {"tools":[{"name":"secret"},', 'id: 4', 'data: {"name":"b"}]}}'),
          event('event: message'),
        ].join('')
        const after = [
          `: hello${end}`,
          event('id: 1', 'data:'),
          event(`data:${list('a')}`),
          event('retry: 10', `data: ${updated('open:1')}`),
          `:${end}${end}`,
          event('event: endpoint', 'data: /messages?x=1'),
          event('data: {"result": {"tools":[{"name":"b"}]}}', 'id: 4'),
          event('event: message'),
        ].join('')
        const reply = filterStream(cut(before, how))
        expect(reply.failure).toBeUndefined()
        expect(reply.body).toBe(after)
        expect(reply.isEnded).toBe(true)
      }),
    )
  })

  it('passes each event when it is complete, and comments when their line is', () => {
    const reply = createFakeReply()
    const filter = new AnswerFilter(reply, { ...hidesSecrets, memory: someMemory(), awaitsMessage: true })
    filter.start(200, { 'content-type': 'text/event-stream' })
    const send = (text: string): string => {
      const before = reply.body.length
      filter.write(Buffer.from(text))
      return reply.body.slice(before)
    }
    expect(reply.status).toBe(200)
    expect(send(': ping\n')).toBe(': ping\n')
    expect(send(':\n\n')).toBe(':\n\n')
    expect(send(': pi')).toBe('')
    expect(send('ng\r')).toBe(': ping\r')
    expect(send('\n')).toBe('\n')
    expect(send(`data: ${list('a')}\n`)).toBe('')
    expect(send(': in between\n')).toBe('')
    expect(send('\n')).toBe(`data: ${list('a')}\n: in between\n\n`)
    expect(send(': after\n')).toBe(': after\n')
    expect(send('data:\n\r')).toBe('data:\n\r')
    reply.isSlow = true
    expect(filter.write(Buffer.from('data:\n\n'))).toBe(false)
  })

  it('is filtered also in an event that lacks its blank line', () => {
    expect(filterStream([`data: ${list('secret')}`]).body).toBe(`data: ${list()}`)
    expect(filterStream([`data: ${list('secret').slice(0, -1)}`]).failure).toBe('answer_unfilterable')
  })

  it.each([
    ['a field that looks like data', `Data: ${list('secret')}\n\n`],
    ['data behind a space', ` data: ${list('secret')}\n\n`],
    ['data before the colon', `data : ${list('secret')}\n\n`],
    ['data behind a byte order mark', `\ufeffdata: ${list('secret')}\n\n`],
    ['a name that ends with a NUL for some', `data\0: ${list('secret')}\n\n`],
    ...['\v', '\f', '\x1c', '\x1d', '\x1e', '\x85', '\u2028', '\u2029'].map((end): [string, string] => [
      `a comment that ${JSON.stringify(end)} ends for some`,
      `: x${end}data: ${list('secret')}\n\n`,
    ]),
    ['other data behind a line end that few know', `event: other\ndata: \u2028data: ${list('secret')}\n\n`],
    ['a message that is none', 'data: secret\n\n'],
    ['a message that is none, by its name', 'event: x\nevent: message\ndata: secret\n\n'],
    ['half a message', 'event: other\ndata: {"result":\n\n'],
    ['more lines than a message has', `${'data:\n'.repeat(10_001)}\n`],
  ])('is cut for %s', (_what, text) => {
    const reply = filterStream([`data: ${list('a')}\n\n`, text, 'data: {}\n\n'])
    expect(reply.failure).toBe('answer_unfilterable')
    expect(reply.body).toBe(`data: ${list('a')}\n\n`)
    expect(reply.isEnded).toBe(false)
  })

  it('may begin with a byte order mark, unless what stands behind it could be left out', () => {
    expect(filterStream([`\ufeffdata: ${list('a', 'secret')}\n\n`]).body).toBe(`\ufeffdata: ${list('a')}\n\n`)
    expect(filterStream(cut(`\ufeffevent: endpoint\ndata: /x\n\n`, 'bytes')).body).toBe(`\ufeffevent: endpoint\ndata: /x\n\n`)
    const other = `\ufeffdata: x\nevent: other\ndata: ${list('secret')}\n\n`
    expect(filterStream([other]).failure).toBe('answer_unfilterable')
    expect(filterStream([`\ufeff\ufeffdata: ${list('secret')}\n\n`]).failure).toBe('answer_unfilterable')
  })

  it('holds any character in the strings of a message', () => {
    const text = `data: {"result":{"tools":[],"x":"\u2028data: \x85\x7f"}}\n\n`
    expect(filterStream([text]).body).toBe(text)
  })

  it('is cut for bytes that are no UTF-8, for an event without an end, and refused when it is encoded', () => {
    expect(filterStream([Uint8Array.of(0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a)]).failure).toBe('answer_unfilterable')
    expect(filterStream(Array(17).fill(Buffer.alloc(1024 * 1024, 0x78))).failure).toBe('answer_unfilterable')
    const headers = { 'content-type': 'text/event-stream', 'content-encoding': 'br' }
    expect(filterAnswer(['data: {}\n\n'], { headers }).failure).toBe('answer_unfilterable')
  })

  it('has no length that would be wrong', () => {
    const headers = { 'content-type': 'text/event-stream', 'content-length': '20' }
    expect(filterAnswer(['data: {}\n\n'], { headers }).headers).toEqual({ 'content-type': 'text/event-stream' })
  })
})
