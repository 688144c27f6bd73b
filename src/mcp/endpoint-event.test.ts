import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { ProxyError } from '../core/errors.ts'
import { checkEndpoint, createEndpointRewriter, isEventStream } from './endpoint-event.ts'

/** Sends a stream in the given pieces and tells what came out. */
function run(
  pieces: readonly Uint8Array[],
  headers: Record<string, string | string[]> = { 'content-type': 'text/event-stream' },
  status = 200,
) {
  const out: Uint8Array[] = []
  let error: ProxyError | undefined
  let ended = false
  const reply = createEndpointRewriter(
    {
      start: () => undefined,
      write: (chunk) => out.push(chunk) > 0,
      end: () => {
        ended = true
      },
      fail: (failure) => {
        error ??= failure
      },
      onDrain: () => undefined,
      onDone: () => undefined,
      report: () => undefined,
      onClose: () => undefined,
    },
    (uri) => `/ours?of=${uri}`,
  )
  reply.start(status, headers)
  for (const piece of pieces) if (!error) reply.write(piece)
  if (!error) reply.end()
  return { text: Buffer.concat(out).toString('utf8'), code: error?.code, ended }
}

const cut = (bytes: Buffer, at: readonly number[]): Uint8Array[] => {
  const points = [0, ...[...at].sort((a, b) => a - b).map((point) => point % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  )
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end))
}

describe('the endpoint event', () => {
  const endings = fc.constantFrom('\n', '\r\n', '\r')
  it('is rewritten however the stream is cut, and the rest passes byte for byte', () => {
    fc.assert(
      fc.property(
        endings,
        fc.boolean(),
        fc.boolean(),
        fc.string({ unit: 'grapheme' }),
        fc.array(fc.nat(400), { maxLength: 6 }),
        (eol, bom, comment, text, cuts) => {
          const rest = `data: ${JSON.stringify(text)}😀${eol}${eol}: ping${eol}${eol}`
          const first = `${comment ? `: hello${eol}` : ''}event: endpoint${eol}data: /m?s=1${eol}${eol}`
          const bytes = Buffer.from(`${bom ? '\ufeff' : ''}${first}${rest}`)
          const result = run(cut(bytes, cuts))
          expect(result.code).toBeUndefined()
          expect(result.text.replace(/^\n/, '')).toBe(
            `event: endpoint\ndata: /ours?of=/m?s=1\n\n${result.text.includes('\n\n\n') ? '\n' : ''}${rest}`,
          )
        },
      ),
    )
  })

  it.each(['\n', '\r', ':\n\n', 'id: 1\n\n'])(
    'is looked for once where a piece has nothing but %j, of which it has room for many',
    (event) => {
      const before = event.repeat(60_000 / event.length)
      const split = vi.spyOn(String.prototype, 'split')
      const { text, code } = run([before, 'event: endpoint\ndata: /m\n\n', 'data: 1\n\n'].map((piece) => Buffer.from(piece)))
      const { length } = split.mock.calls
      split.mockRestore()
      expect([text.startsWith(before), code]).toEqual([true, undefined])
      expect(length).toBeLessThan(10)
    },
  )

  it('may come behind comments, which pass', () => {
    expect(run([Buffer.from(': a\n\nevent:endpoint\ndata:/m\n\n')]).text).toBe(': a\n\nevent: endpoint\ndata: /ours?of=/m\n\n')
  })

  it.each([
    ['something else comes first', 'event: message\ndata: {}\n\n'],
    ['it never comes', 'event: endp'],
    ['the stream is empty', ''],
    ['it is larger than anyone would write', `data: ${'x'.repeat(70_000)}`],
    ['a second one follows', 'event: endpoint\ndata: /m\n\nevent: endpoint\ndata: /n\n\n'],
    ['a second one follows in other spelling', 'event: endpoint\ndata: /m\n\ndata: x\rid: 1\revent:endpoint\rdata: /n\r\r'],
  ])('cuts the stream when %s', (_what, text) => {
    for (const pieces of [
      [Buffer.from(text)],
      [...Buffer.from(text.slice(0, 200))].map((byte) => Buffer.from([byte])).concat(Buffer.from(text.slice(200))),
    ]) {
      const result = run(pieces)
      expect(result).toMatchObject({ code: 'upstream_invalid_response', ended: false })
      expect(result.text).not.toContain('/n')
    }
  })

  it('is found a second time for every reader, wherever the stream is cut', () => {
    const blanks = ' \t\0'.repeat(500)
    for (const end of ['\n', '\r', '\x0b', '\x1e', '\u0085', '\u2028', '\u2029'])
      for (const [one, two] of [
        ['', ' '],
        [blanks, blanks],
      ]) {
        const second = Buffer.from(`data: 1${end}${one}EVENT${two}:${one}Endpoint${two}${end}`)
        const pieces = Array.from(second, (_, at) => second.subarray(at, at + 1))
        const known = ['event: endpoint\ndata: /m\n\n'].map((text) => Buffer.from(text))
        expect(run([...known, ...pieces]).code).toBe('upstream_invalid_response')
        expect(run([...known, ...pieces.slice(0, -1)]).code).toBeUndefined()
      }
  })

  it('does not mistake data for a second one', () => {
    const rest = 'data: event: endpoint\n\ndata: "\\nevent: endpoint\\n"\n\n'
    expect(run([Buffer.from(`event: endpoint\ndata: /m\n\n${rest}`)]).code).toBeUndefined()
  })

  it('refuses an encoded stream, which it cannot read', () => {
    expect(run([], { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).code).toBe('upstream_invalid_response')
  })

  it.each<[number, string | string[]]>([
    [200, 'text/event-stream; charset=utf-8'],
    [200, 'TEXT/EVENT-STREAM'],
    [200, 'application/json, text/event-stream'],
    [200, ['application/json', 'text/event-stream']],
    [201, 'text/event-stream'],
    [206, 'text/event-stream'],
  ])('is rewritten wherever a client may look for it: status %i, %j', (status, type) => {
    const result = run([Buffer.from('event: endpoint\ndata: /m\n\n')], { 'content-type': type }, status)
    expect(result.text).toBe('event: endpoint\ndata: /ours?of=/m\n\n')
  })

  it('is not looked for in a refusal', () => {
    expect(run([Buffer.from('no')], { 'content-type': 'text/event-stream' }, 404).text).toBe('no')
  })

  it('leaves other answers alone', () => {
    expect(run([Buffer.from('{"error":1}')], { 'content-type': 'application/json' })).toEqual({
      text: '{"error":1}',
      code: undefined,
      ended: true,
    })
  })
})

describe('where an endpoint event may lead', () => {
  const stream = 'http://localhost:8000/base/sse'
  it.each([
    ['/messages/?session_id=1', '/messages/?session_id=1'],
    ['messages?s=1', '/base/messages?s=1'],
    ['http://localhost:8000/base/m', '/base/m'],
    ['?s=1', '/base/sse?s=1'],
  ])('%s leads to %s', (uri, target) => {
    expect(checkEndpoint(uri, stream)).toBe(target)
  })

  it.each([
    'http://evil.example/m',
    '//evil.example/m',
    'https://localhost:8000/m',
    'http://localhost:8001/m',
    'http://u:p@localhost:8000/m',
    'javascript:alert(1)',
    '/a b',
    '',
    '\\\\evil.example/m',
    '/\u00e4',
  ])('%j leads nowhere', (uri) => {
    expect(() => checkEndpoint(uri, stream)).toThrow()
  })
})

describe('a stream of HTTP+SSE', () => {
  const openStream = (flowing = true) => {
    const calls: string[] = []
    const note =
      (name: string) =>
      (argument?: unknown): void => {
        calls.push(name + (argument instanceof Function ? argument() : ''))
      }
    const stream = createEndpointRewriter(
      {
        start: (status, headers) => note(`start ${status} ${Object.keys(headers)}`)(),
        write: (chunk) => calls.push(`write ${Buffer.from(chunk)}`) > 0 && flowing,
        end: note('end'),
        fail: ({ code, cause }) => note(`fail ${code} ${cause}`)(),
        onDrain: note('onDrain '),
        onDone: note('onDone '),
        report: ({ code }) => note(`report ${code}`)(),
        onClose: note('onClose '),
      },
      (uri) => uri,
    )
    return { stream, calls }
  }
  const open = { 'content-type': 'text/event-stream' }
  const endpoint = Buffer.from('event: endpoint\ndata: /m\n\n')

  it('is cut at the first event that is not the endpoint event, though that follows', () => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    expect(stream.write(Buffer.concat([Buffer.from('data: {}\n\n'), endpoint]))).toBe(false)
    expect(calls.slice(1)).toEqual(['fail upstream_invalid_response the first event is not the endpoint event'])
  })

  it('is held for 64 KiB while it names no endpoint, and cut then', () => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    expect(stream.write(Buffer.alloc(64 * 1024, ':'))).toBe(true)
    expect(calls).toHaveLength(1)
    expect(stream.write(Buffer.from(':'))).toBe(false)
    expect(calls.slice(1)).toEqual(['fail upstream_invalid_response no endpoint event at the beginning of the stream'])
  })

  it('is refused before it begins where it is encoded', () => {
    const { stream, calls } = openStream()
    stream.start(200, { ...open, 'content-encoding': 'gzip' })
    expect(calls).toEqual(['fail upstream_invalid_response an encoded event stream'])
  })

  it('begins with the status and headers of the upstream but for the length, which changes', () => {
    const { stream, calls } = openStream()
    stream.start(201, { ...open, 'content-length': '26', 'x-other': '1' })
    expect(calls).toEqual(['start 201 content-type,x-other'])
  })

  it.each([true, false])('tells the upstream whether the client takes more: %s', (flowing) => {
    const { stream } = openStream(flowing)
    stream.start(200, open)
    expect(stream.write(Buffer.from(': hello\n\n'))).toBe(flowing)
    expect(stream.write(endpoint)).toBe(flowing)
    expect(stream.write(Buffer.from('data: {}\n\n'))).toBe(flowing)
  })

  it('tells of the end, of failures, of room and of a client that left as it is told', () => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    stream.write(endpoint)
    stream.onDrain(() => 'room')
    stream.onClose(() => 'left')
    stream.fail(new ProxyError('upstream_unreachable', { reason: 'connect_failed', cause: 'gone' }))
    stream.end()
    expect(calls.slice(2)).toEqual(['onDrain room', 'onClose left', 'fail upstream_unreachable gone', 'end'])
  })

  it.each([
    'event:  endpoint\ndata: /m\n\n',
    'Event: endpoint\ndata: /m\n\n',
    'event\ndata: endpoint\n\n',
    'EVENT: endpoint\nDATA: /m\n\n',
    ' event:\tendpoint\n data: /m\n\n',
    ': \u2028event: endpoint\u2028data: /m\u2028\n\n',
  ])('is cut where the event only resembles the endpoint event: %j', (text) => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    expect(stream.write(Buffer.from(text))).toBe(false)
    expect(calls.slice(1)).toEqual(['fail upstream_invalid_response the first event is not the endpoint event'])
  })

  it.each([
    ['fields without a value or a space', ':\nevent:endpoint\nid\ndata:/m\n\n', '/m'],
    ['two lines of data', 'event: endpoint\ndata: /m\ndata: /n\n\n', '/m\n/n'],
    ['a space in front of the value', 'event: endpoint\ndata:  /m\n\n', ' /m'],
    ['no data', 'event: endpoint\n\n', ''],
    ['data without a colon', 'event: endpoint\ndata\n\n', ''],
    ['a space within the value', 'event: endpoint\ndata:/a b\n\n', '/a b'],
    ['a byte order mark within the value', 'event: endpoint\ndata: /\ufeffm\n\n', '/\u00ef\u00bb\u00bfm'],
  ])('names the endpoint with %s', (_what, text, uri) => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    stream.write(Buffer.from(text))
    expect(calls.slice(1)).toEqual([`write event: endpoint\ndata: ${uri}\n\n`])
  })

  it('may begin with a field that only begins as one that is known', () => {
    const { stream, calls } = openStream()
    stream.start(200, open)
    expect(stream.write(Buffer.concat([Buffer.from('datax\n\n'), endpoint]))).toBe(true)
    expect(calls.slice(1)).toEqual(['write datax\n\nevent: endpoint\ndata: /m\n\n'])
  })

  it('is left alone where no client reads events: status 300', () => {
    const { stream, calls } = openStream()
    stream.start(300, open)
    stream.write(Buffer.from('data: {}\n\n'))
    expect(calls).toEqual(['start 300 content-type', 'write data: {}\n\n'])
  })
})

it.each(['http://u@localhost:8000/m', 'http://:p@localhost:8000/m'])(
  'an endpoint with half a credential leads nowhere: %s',
  (uri) => {
    expect(() => checkEndpoint(uri, 'http://localhost:8000/sse')).toThrow(
      expect.objectContaining({ code: 'upstream_invalid_response', reason: 'endpoint_event_invalid' }),
    )
  },
)

it.each<[unknown, boolean]>([
  ['text/event-stream', true],
  ['Text/Event-Stream', true],
  ['text/event-stream;charset=utf-8', true],
  ['text/event-stream ; charset=utf-8', true],
  ['text/event-stream-like', false],
  ['text/event-stream, application/json', false],
  ['x-text/event-stream', false],
  ['application/json', false],
  ['', false],
  [undefined, false],
  [['text/event-stream'], false],
])('an answer of type %j is an event stream: %s', (type, expected) => {
  expect(isEventStream({ 'content-type': type } as Parameters<typeof isEventStream>[0])).toBe(expected)
})
